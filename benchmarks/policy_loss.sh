#!/usr/bin/env bash
# Measures a policy loss, forward and backward, on logits 4096 x 32768 and from hidden states of
# width 128 and 576, ours and torch's alternately, and prints medians, ratios and extra memory.
#
#   bash benchmarks/policy_loss.sh [ROUNDS]      (default 3); torch takes 3 GiB of memory
#   PYTHON=/path/to/python  the interpreter with torch; without torch only ours is measured
#   ROWS=4096 VOCAB=32768  other sizes
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-3}
python=${PYTHON:-python3}
build=build/release/benchmarks
threads="1 2"
[ "$(nproc)" -ge 2 ] || threads="1"
sizes=(--rows "${ROWS:-4096}" --vocab "${VOCAB:-32768}")

bash cmake/install-deps.sh build
cmake --preset release -DDUALAGENT_BUILD_TESTS=OFF >/dev/null
cmake --build --preset release --target policy_loss_bench >/dev/null
lines="$build/policy_loss.jsonl"
: >"$lines"

have_torch=yes
"$python" -c 'import torch' 2>/dev/null || have_torch=no
[ "$have_torch" = yes ] || echo "torch not installed: ours only"

torch_side() {
  [ "$have_torch" = no ] || "$python" benchmarks/torch_policy_loss.py "${sizes[@]}" "$@" >>"$lines"
}
for round in $(seq "$rounds"); do
  for t in $threads; do
    echo "round $round of $rounds, $t thread(s)" >&2
    for width in 0 128 576; do
      "$build/policy_loss_bench" "${sizes[@]}" --width "$width" --threads "$t" >>"$lines"
      torch_side --width "$width" --threads "$t" --repeats 1
    done
    torch_side --threads "$t" --repeats 1 --rowwise 1
  done
done
grep -m1 'model name' /proc/cpuinfo || true
"$python" benchmarks/policy_loss_table.py "$lines"
