# Sourced by tests/run.sh, examples/demo.sh and .ci/run, from the project's root: what polder needs from the system.
#   polder_install PACKAGE...   installs with apt-get what is missing; elsewhere says what to install and goes on
#   polder_jobs                 how many compilers at a time: POLDER_JOBS, else 2
# Packages that polder is built with, by their names in Debian 12 and Ubuntu 24.04:
polder_packages="g++ cmake ninja-build pkg-config libeigen3-dev zlib1g-dev liblzma-dev libcli11-dev nlohmann-json3-dev libopenmpi-dev openmpi-bin libthrust-dev libcub-dev"
polder_test_packages="catch2"
# Not needed to build, and not in every release of every system.
polder_data_packages="dataset-fashion-mnist"

polder_jobs() { echo "${POLDER_JOBS:-2}"; }

polder_missing() {
  for package in "$@"; do
    dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || printf '%s ' "$package"
  done
}

polder_install() {
  if ! command -v apt-get >/dev/null 2>&1; then
    echo "polder: this is not Debian or Ubuntu; it needs the equivalents of these packages: $*" >&2
    for program in cmake ninja c++; do
      command -v "$program" >/dev/null 2>&1 || {
        echo "polder: $program is missing: install the packages above and run this again" >&2
        return 1
      }
    done
    return 0
  fi
  missing=$(polder_missing "$@")
  [ -n "$missing" ] || return 0
  root=""
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null 2>&1 || {
      echo "polder: neither root nor sudo: have these packages installed and run this again: $missing" >&2
      return 1
    }
    root=sudo
  fi
  echo "polder: installing $missing"
  polder_log=$(mktemp)
  $root apt-get update -q >"$polder_log" 2>&1 || true
  # shellcheck disable=SC2086
  if $root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing >>"$polder_log" 2>&1; then
    rm -f "$polder_log"
  else
    tail -n 20 "$polder_log" >&2
    rm -f "$polder_log"
    echo "polder: apt-get could not install: $missing" >&2
    return 1
  fi
}
