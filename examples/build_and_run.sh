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

compile() {
  cmake -S "$root" -B "$build" -DCMAKE_BUILD_TYPE=Release -DDUALAGENT_BUILD_TESTS=OFF \
    -DDUALAGENT_BUILD_BENCHMARKS=OFF -DDUALAGENT_WERROR="${DUALAGENT_WERROR:-OFF}" &&
    cmake --build "$build" --target "$target" -j "$(nproc)"
}

# On a terminal one line that counts the seconds, else a line every 20 s; nothing for a short build.
show_progress() {
  local passed next=3
  SECONDS=0
  while sleep 1; do
    passed=$SECONDS
    [ $passed -ge $next ] || continue
    if [ -t 2 ]; then
      printf '\rBuilding %s (one to two minutes the first time): %d s ' "$target" $passed >&2
    else
      echo "Building $target (one to two minutes the first time): $passed s" >&2
      next=$((passed + 20))
    fi
  done
}

show_progress &
progress=$!
trap 'kill $progress 2>/dev/null' EXIT
if ! compile >"$log" 2>&1; then
  [ ! -t 2 ] || echo >&2
  tail -n 40 "$log" >&2
  echo "The build failed; the whole log is $log" >&2
  exit 1
fi
kill $progress
wait $progress 2>/dev/null || true
[ ! -t 2 ] || printf '\r\033[K' >&2
exec "$build/examples/$target" "$@"
