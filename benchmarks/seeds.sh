#!/usr/bin/env bash
# All rows of the quickstart for several seeds, one table and the bars that must hold.
#   bash benchmarks/seeds.sh [FIRST LAST]     default: seeds 0 to 4, two to three minutes each on 2 cores
# Results stay in build/seeds/seed-N; a seed that is there already is resumed, not repeated.
set -euo pipefail
cd "$(dirname "$0")/.."
first=${1:-0}
last=${2:-4}
bash cmake/install-deps.sh build
cmake --preset release -DDUALAGENT_BUILD_TESTS=OFF >/dev/null
cmake --build --preset release --target quickstart seeds_table -j "$(nproc)"
results=()
for seed in $(seq "$first" "$last"); do
  out=build/seeds/seed-$seed
  resume=()
  [ -d "$out/checkpoints" ] && resume=(--resume)
  [ -f "$out/result.json" ] || build/release/examples/quickstart --seed "$seed" --out "$out" "${resume[@]}"
  results+=("$out/result.json")
done
build/release/benchmarks/seeds_table "${results[@]}"
