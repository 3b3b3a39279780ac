#!/bin/bash
# Runs clang-tidy with the root's .clang-tidy over the production sources; any finding fails. Findings in headers are
# reported once per file that includes them.
#
#   run_clang_tidy.sh <build directory> [source ...]     the directory holds compile_commands.json
#   JOBS=n, CLANG_TIDY=path
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${1:?"usage: run_clang_tidy.sh <build directory> [source ...]"}
shift
tidy=${CLANG_TIDY:-clang-tidy-19}
jobs=${JOBS:-2}
commands=$build/compile_commands.json

command -v "$tidy" >/dev/null || { echo "$tidy is not installed" >&2; exit 2; }
[[ -f $commands ]] || { echo "$commands is missing: configure with CMAKE_EXPORT_COMPILE_COMMANDS" >&2; exit 2; }
"$tidy" --verify-config --config-file="$root/.clang-tidy" >/dev/null

cd "$root"
if (($#)); then
  sources=("$@")
else
  sources=(protocol/*.cpp routing/*.cpp pools/*.cpp config/*.cpp proxy/*.cpp)
fi
for source in "${sources[@]}"; do
  # clang-tidy would guess the flags of a file it finds no command for, and then report nonsense.
  grep -qF "\"$root/$source\"" "$commands" || {
    echo "$source is not in $commands: configure again" >&2
    exit 2
  }
done

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
# The longest files first, so that the last job to end is a short one. Warnings that only gcc has a name for are not
# clang-tidy's to judge.
status=0
wc -c "${sources[@]}" | grep -v ' total$' | sort -rn | awk '{print $2}' |
  xargs -P "$jobs" -I{} bash -c '
    name=${3//\//.}
    if ! "$1" -p "$2" --quiet --extra-arg=-Wno-unknown-warning-option "$3" >"$4/$name.log" 2>"$4/$name.err"; then
      cat "$4/$name.log"
      grep -v "warnings generated\|warning generated\|Suppressed \|Use -header-filter" "$4/$name.err" || true
      exit 1
    fi' _ "$tidy" "$build" {} "$out" || status=1
if ((status)); then
  echo "clang-tidy: findings above" >&2
  exit 1
fi
echo "clang-tidy: ${#sources[@]} files, nothing found in $SECONDS s"
