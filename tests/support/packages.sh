# shellcheck shell=bash disable=SC2034
# Sourced by tests/run and proxy/demo: what they need of Debian, and how it is installed.

build_packages=(g++ cmake ninja-build ccache git libboost1.81-dev libssl-dev libpq-dev libabsl-dev prometheus-cpp-dev
  libtomlplusplus-dev libspdlog-dev libfmt-dev libidn-dev libhiredis-dev pkg-config)
server_packages=(postgresql-15 postgresql-client-15 python3 python3-psycopg2)
# The drivers of tests/clients. npm is asked for by its command below: where Node.js comes from elsewhere, it brings its own.
client_packages=(python3-psycopg-pool python3-sqlalchemy python3-greenlet python3-django
  golang-go golang-github-jackc-pgx-v4-dev golang-github-lib-pq-dev
  default-jdk-headless libpostgresql-jdbc-java libhikaricp-java libslf4j-java)
command -v npm >/dev/null || client_packages+=(nodejs npm)
test_packages=(libgtest-dev libgmock-dev libbenchmark-dev libpg-query-dev
  clang-19 clang-tidy-19 clang-format-19 libclang-rt-19-dev
  pgbouncer haproxy redis-server patroni etcd-server python3-etcd pg-auto-failover-cli postgresql-15-auto-failover
  python3-pytest python3-psycopg python3-asyncpg valgrind curl openssl
  "${client_packages[@]}")

# install_packages NAME…: installs those that are missing, as root or through sudo; says nothing if none is.
# Services that come with them are not started, where nobody has said yet what is to be.
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
  (
    policy=/usr/sbin/policy-rc.d
    if [[ ! -e $policy ]]; then
      trap '"${as_root[@]}" rm -f "$policy"' EXIT
      printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
      "${as_root[@]}" chmod 755 "$policy"
    fi
    install_with_apt "${missing[@]}"
  )
}

# install_with_apt NAME…: for install_packages, whose as_root it uses.
install_with_apt() {
  local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o Dpkg::Use-Pty=0)
  "${apt[@]}" install -y --no-install-recommends "$@" >/dev/null 2>&1 && return 0
  "${apt[@]}" update >/dev/null
  "${apt[@]}" install -y --no-install-recommends "$@" >/dev/null
}

# build_jobs: as many compilers at once as there are cores, and 1.5 GiB of free memory for each.
build_jobs() {
  local cores by_memory
  cores=$(nproc)
  by_memory=$(awk '/^MemAvailable/ { print int($2 / 1572864) }' /proc/meminfo)
  echo $((by_memory < 1 ? 1 : by_memory < cores ? by_memory : cores))
}
