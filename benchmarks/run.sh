#!/usr/bin/env bash
# Measures training steps and decoding, ours, torch's and (one sequence) llama.cpp's alternately, and
# prints medians and ratios.
#
#   bash benchmarks/run.sh [ROUNDS]      (default 5)
#   PYTHON=/path/to/python  the interpreter with torch; without torch only ours is measured
#   LLAMA_PYTHON=/path/to/python  the one with llama-cpp-python and gguf (default: PYTHON)
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-5}
python=${PYTHON:-python3}
build=build/release/benchmarks
threads="1 2"
[ "$(nproc)" -ge 2 ] || threads="1"

bash cmake/install-deps.sh build
cmake --preset release -DDUALAGENT_BUILD_TESTS=OFF >/dev/null
cmake --build --preset release --target train_step_bench decode_bench >/dev/null
lines="$build/lines.jsonl"
: >"$lines"

have_torch=yes
"$python" -c 'import torch' 2>/dev/null || have_torch=no
[ "$have_torch" = yes ] || echo "torch not installed: ours only"

llama_python=${LLAMA_PYTHON:-$python}
have_llama=yes
"$llama_python" -c 'import gguf, llama_cpp' 2>/dev/null || have_llama=no
[ "$have_llama" = yes ] || echo "llama.cpp not installed (pip install llama-cpp-python gguf): left out"

torch_side() {
  [ "$have_torch" = no ] || "$python" "benchmarks/$1.py" "${@:2}" >>"$lines"
}
for round in $(seq "$rounds"); do
  for t in $threads; do
    echo "round $round of $rounds, $t thread(s)" >&2
    for shape in tiny quickstart; do
      "$build/train_step_bench" --shape "$shape" --threads "$t" >>"$lines"
      torch_side torch_train_step --shape "$shape" --threads "$t"
    done
    for arguments in "tiny 1" "tiny 64" "quickstart 64"; do
      read -r shape sequences <<<"$arguments"
      "$build/decode_bench" --shape "$shape" --threads "$t" --sequences "$sequences" >>"$lines"
      torch_side torch_decode --shape "$shape" --threads "$t" --sequences "$sequences"
      if [ "$have_llama" = yes ] && [ "$sequences" = 1 ]; then
        "$llama_python" benchmarks/llama_decode.py --shape "$shape" --threads "$t" >>"$lines"
      fi
    done
  done
done

# Medians per benchmark, side and number of threads, then ratios.
grep -m1 'model name' /proc/cpuinfo || true
sed -E 's/.*"benchmark": "([^"]*)", "side": "([^"]*)", "threads": ([0-9]+), "value": ([0-9.]+).*/\1 \2 \3 \4/' \
  "$lines" | sort -k1,1 -k2,2 -k3,3n -k4,4g | awk '
  { key = $1 " " $2 " " $3; values[key, ++count[key]] = $4; names[$1] = 1 }
  function median(name, side, t,   key, n) {
    key = name " " side " " t; n = count[key]
    if (n == 0) return 0
    return n % 2 ? values[key, (n + 1) / 2] : (values[key, n / 2] + values[key, n / 2 + 1]) / 2
  }
  function ratio(a, b) { return a > 0 && b > 0 ? sprintf("%.2f", a / b) : "-" }
  END {
    printf "%-22s %10s %10s %6s %10s %10s %6s %8s\n", "tokens/s", "ours 1T", "torch 1T", "ratio",
           "ours 2T", "torch 2T", "ratio", "ours 2/1"
    for (name in names) {
      a = median(name, "ours", 1); b = median(name, "torch", 1)
      c = median(name, "ours", 2); d = median(name, "torch", 2)
      printf "%-22s %10.0f %10.0f %6s %10.0f %10.0f %6s %8s\n", name, a, b, ratio(a, b), c, d,
             ratio(c, d), ratio(c, a)
    }
    for (name in names) {
      a = median(name, "llama.cpp", 1); b = median(name, "llama.cpp", 2)
      if (a > 0)
        printf "%s, llama.cpp: %.0f (ours is %s x) with 1 thread, %.0f (%s x) with 2\n", name, a,
               ratio(median(name, "ours", 1), a), b, ratio(median(name, "ours", 2), b)
    }
  }'
