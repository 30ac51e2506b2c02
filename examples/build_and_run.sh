#!/usr/bin/env bash
# Builds one example and runs it: build_and_run.sh TARGET [options of the example]
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
target=$1
shift
bash "$root/cmake/install-deps.sh" build
build=$root/build/$target
log=$build.log
mkdir -p "$root/build"
if [ ! -x "$build/examples/$target" ]; then
  echo "Building $target (about a minute the first time)" >&2
fi
if ! { cmake -S "$root" -B "$build" -DCMAKE_BUILD_TYPE=Release -DDUALAGENT_BUILD_TESTS=OFF \
         -DDUALAGENT_BUILD_BENCHMARKS=OFF &&
       cmake --build "$build" --target "$target" -j "$(nproc)"; } >"$log" 2>&1; then
  tail -n 40 "$log" >&2
  echo "The build failed; the whole log is $log" >&2
  exit 1
fi
exec "$build/examples/$target" "$@"
