#!/bin/bash
# One table, one run: direct connections, PgBouncer, HAProxy and Tidemark beside each other on this machine.
# bench/README.md says what is measured, how, and what is not. Takes about five minutes and never more than six.
#
#   bench/end_to_end/run.sh [--quick] [--only direct,pgbouncer,haproxy,tidemark] [--json FILE]
#
# TIDEMARK_BINARY=path (default: build/release/proxy/tidemark, else build/proxy/tidemark), PGBOUNCER=path,
# HAPROXY=path choose other programs.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export PYTHONDONTWRITEBYTECODE=1
# The watchdogs of the support package end every process of ours, also when this run is cut off.
exec timeout --signal=INT --kill-after=20 360 /usr/bin/python3 "$here/run.py" "$@"
