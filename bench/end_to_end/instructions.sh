#!/bin/bash
# User-space instructions per transaction, under callgrind: repeatable where times are not. One worker, 16 clients,
# pgbench -S, simple and prepared. Takes well under a minute.
#
#   instructions.sh            prints Tidemark's figure beside PgBouncer's
#   instructions.sh --check    Tidemark only; fails when it is more than 10 % above instructions.baseline
#   instructions.sh --store    Tidemark only; writes instructions.baseline
#   … --profile                also prints in which functions the worker's instructions are
#
# TIDEMARK_BINARY=path and PGBOUNCER=path choose other programs than run.sh would.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export PYTHONDONTWRITEBYTECODE=1
exec timeout --signal=INT --kill-after=20 400 /usr/bin/python3 "$here/instructions.py" "$@"
