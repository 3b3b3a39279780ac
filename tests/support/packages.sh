# shellcheck shell=bash disable=SC2034
# Sourced by tests/run and proxy/demo: what they need of Debian, and how it is installed.

build_packages=(g++ cmake ninja-build ccache git libboost1.81-dev libssl-dev libpq-dev libabsl-dev prometheus-cpp-dev
  libtomlplusplus-dev libspdlog-dev libfmt-dev)
server_packages=(postgresql-15 postgresql-client-15 python3 python3-psycopg2)
test_packages=(libgtest-dev libgmock-dev libbenchmark-dev libpg-query-dev
  clang-19 clang-tidy-19 clang-format-19 libclang-rt-19-dev
  pgbouncer haproxy python3-pytest python3-psycopg python3-asyncpg valgrind curl)

# install_packages NAME…: installs those that are missing, as root or through sudo; says nothing if none is.
install_packages() {
  local name missing=() as_root=()
  for name in "$@"; do
    dpkg -s "$name" 2>/dev/null | grep -q '^Status: install ok installed' || missing+=("$name")
  done
  [[ ${#missing[@]} -eq 0 ]] && return 0
  echo "installing ${missing[*]}"
  if [[ $(id -u) -ne 0 ]]; then
    command -v sudo >/dev/null || { echo "root or sudo is needed to install them" >&2; return 1; }
    as_root=(sudo)
  fi
  local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o Dpkg::Use-Pty=0)
  "${apt[@]}" install -y --no-install-recommends "${missing[@]}" >/dev/null 2>&1 && return 0
  "${apt[@]}" update >/dev/null
  "${apt[@]}" install -y --no-install-recommends "${missing[@]}" >/dev/null
}

# build_jobs: as many compilers at once as there are cores, and 1.5 GiB of free memory for each.
build_jobs() {
  local cores by_memory
  cores=$(nproc)
  by_memory=$(awk '/^MemAvailable/ { print int($2 / 1572864) }' /proc/meminfo)
  echo $((by_memory < 1 ? 1 : by_memory < cores ? by_memory : cores))
}
