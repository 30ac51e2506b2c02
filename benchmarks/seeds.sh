#!/usr/bin/env bash
# An example on a range of seeds, one thread per run and one run per core, then the table over all
# seeds and the bars that must hold. Exit status 1: a bar is missed, or a seed has no result.
#   bash benchmarks/seeds.sh EXAMPLE FIRST LAST [options of the example]
#   bash benchmarks/seeds.sh quickstart 5001 5040 --only dual
# EXAMPLE: quickstart, two_books or objective_sweep. Results stay in build/seeds/EXAMPLE.../N; stopped
# and started again, it goes on where it was. JOBS: runs at a time.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -ge 3 ] || { sed -n '2,8s/^# \?//p' "$0" >&2; exit 2; }
example=$1 first=$2 last=$3
shift 3
bash cmake/install-deps.sh build
cmake --preset release -DDUALAGENT_BUILD_TESTS=OFF >/dev/null
cmake --build --preset release --target "$example" seeds_table -j "$(nproc)"
folder=build/seeds/$example$(printf '%s' "$@" | tr -c 'a-z0-9\n-' _)
mkdir -p "$folder"
cp "build/release/examples/$example" "$folder/program"  # a later build does not change a running range

run_seed() { # FOLDER SEED [options]
  local folder=$1 seed=$2 out=$1/$2 resume=()
  shift 2
  [ ! -f "$out/result.json" ] || return 0
  [ ! -d "$out/checkpoints" ] || resume=(--resume)
  "$folder/program" --threads 1 --seed "$seed" --out "$out" "${resume[@]}" "$@" >"$out.log" 2>&1 ||
    echo "seed $seed: $(tail -n 1 "$out.log")" >&2
}
export -f run_seed
seq "$first" "$last" | xargs -P "${JOBS:-$(nproc)}" -I{} bash -c 'run_seed "$@"' run "$folder" {} "$@"

results=()
missing=0
for seed in $(seq "$first" "$last"); do
  if [ -f "$folder/$seed/result.json" ]; then results+=("$folder/$seed/result.json"); else missing=$((missing + 1)); fi
done
[ "$missing" -eq 0 ] || echo "MISSED: $missing seeds have no result; their logs are $folder/SEED.log"
[ ${#results[@]} -eq 0 ] || build/release/benchmarks/seeds_table "$example" "${results[@]}" || exit 1
[ "$missing" -eq 0 ]
