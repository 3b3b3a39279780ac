#!/bin/bash
# What the clients of each proxy notice of a dead primary, as a table: connections broken, statements failed, writes lost,
# and how long nobody could write. HAProxy, PgBouncer and Pgpool-II beside, where they are installed. About three minutes.
#
#   bench/end_to_end/failover.sh [--programs tidemark,tidemark_replay,pgbouncer,haproxy,pgpool]
#
# TIDEMARK_BINARY chooses another program than that of build/.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export PYTHONDONTWRITEBYTECODE=1
exec timeout --signal=INT --kill-after=20 900 /usr/bin/python3 "$here/failover.py" "$@"
