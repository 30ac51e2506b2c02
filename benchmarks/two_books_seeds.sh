#!/usr/bin/env bash
# The two books for several seeds, one table and the bars that must hold.
#   bash benchmarks/two_books_seeds.sh [FIRST LAST]     default: seeds 0 to 4, two minutes each on 2 cores
# Results stay in build/two-books-seeds/seed-N; a seed that is there already is not repeated.
set -euo pipefail
cd "$(dirname "$0")/.."
bash cmake/install-deps.sh build
cmake --preset release -DDUALAGENT_BUILD_TESTS=OFF >/dev/null
cmake --build --preset release --target two_books two_books_table -j "$(nproc)"
results=()
for seed in $(seq "${1:-0}" "${2:-4}"); do
  out=build/two-books-seeds/seed-$seed
  resume=()
  [ -d "$out/checkpoints" ] && resume=(--resume)
  [ -f "$out/result.json" ] || build/release/examples/two_books --seed "$seed" --out "$out" "${resume[@]}"
  results+=("$out/result.json")
done
build/release/benchmarks/two_books_table "${results[@]}"
