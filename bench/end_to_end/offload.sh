#!/bin/bash
# What each level of consistency buys and costs, as a table: share of reads at replicas, added latency, questions to the
# primary per write, violations; by replay delay and think time. Pgpool-II beside it, where it is installed. About nine
# minutes.
#
#   bench/end_to_end/offload.sh [--quick] [--levels session,strong,pgpool] [--seconds 4] [--delays 20] [--thinks 0,5]
#
# TIDEMARK_BINARY and TIDEMARK_HISTORY_DRIVER choose other programs than those of build/.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export PYTHONDONTWRITEBYTECODE=1
exec timeout --signal=INT --kill-after=20 1500 /usr/bin/python3 "$here/offload.py" "$@"
