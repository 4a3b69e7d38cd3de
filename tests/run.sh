#!/bin/sh
# Builds and runs all tests, on a machine with nothing but git and a shell: what is missing is installed with apt-get.
#   POLDER_JOBS   how many compilers and tests at a time (2)
#   POLDER_DATA   folder of the data sets (else ../shared/data, else what Debian's packages install)
# The last line is the test runner's closing line; the exit status is not zero when a test failed.
set -eu
cd "$(dirname "$0")/.."
. cmake/setup.sh

# shellcheck disable=SC2086
polder_install $polder_packages $polder_test_packages
# shellcheck disable=SC2086
polder_install $polder_data_packages || echo "polder: going on without $polder_data_packages"

cmake --preset release -DPOLDER_TESTS=ON -DPOLDER_EXAMPLES=ON ${POLDER_DATA:+"-DPOLDER_DATA=$POLDER_DATA"}
cmake --build build/release -j "$(polder_jobs)"

log=build/release/Testing/run.log
mkdir -p build/release/Testing
status=0
{ ctest --test-dir build/release -j "$(polder_jobs)" --output-on-failure --no-tests=error 2>&1 || echo "failed" >"$log.failed"; } |
  tee "$log"
[ ! -e "$log.failed" ] || { status=1; rm -f "$log.failed"; }

# Tests print "skipped: <reason>" for what they cannot do here, and go on.
skipped=$(grep -h '^skipped: ' build/release/Testing/Temporary/LastTest.log || true)
if [ -n "$skipped" ]; then
  echo "$(echo "$skipped" | wc -l) skipped:"
  echo "$skipped" | sort | uniq -c | sed 's/skipped: //'
else
  echo "0 skipped"
fi
grep 'tests passed' "$log" | tail -n 1
exit "$status"
