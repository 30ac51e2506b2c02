#!/usr/bin/env bash
# Builds and runs the quickstart: trains a pair of agents and writes a report.
#   bash examples/quickstart/run.sh [options]      --help lists them
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
bash "$root/cmake/install-deps.sh" build
build=$root/build/quickstart
log=$build.log
mkdir -p "$root/build"
if [ ! -x "$build/examples/quickstart" ]; then
  echo "Building the quickstart (about a minute the first time)" >&2
fi
if ! { cmake -S "$root" -B "$build" -DCMAKE_BUILD_TYPE=Release -DDUALAGENT_BUILD_TESTS=OFF \
         -DDUALAGENT_BUILD_BENCHMARKS=OFF &&
       cmake --build "$build" --target quickstart -j "$(nproc)"; } >"$log" 2>&1; then
  tail -n 40 "$log" >&2
  echo "The build failed; the whole log is $log" >&2
  exit 1
fi
exec "$build/examples/quickstart" "$@"
