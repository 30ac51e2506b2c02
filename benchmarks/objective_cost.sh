#!/usr/bin/env bash
# Instructions of a composed loss loop and of one written by hand (valgrind), and the registers of
# both as CUDA kernels (nvcc; no GPU needed).
#   bash benchmarks/objective_cost.sh
set -euo pipefail
cd "$(dirname "$0")/.."
out=build/objective_cost
mkdir -p "$out"
# valgrind knows AVX2, not AVX-512
"${CXX:-g++}" -std=c++20 -O3 -mavx2 -mfma -g -I include -I kernels_inl \
  benchmarks/objective_cost.cpp -o "$out/objective_cost"
"$out/objective_cost"
if command -v valgrind >/dev/null; then
  instructions() { # FUNCTION: executed inside it and what it calls
    valgrind --tool=callgrind --toggle-collect="$1" --callgrind-out-file="$out/$1.out" \
      "$out/objective_cost" >"$out/$1.log" 2>&1
    sed -n 's/.*Collected : *//p' "$out/$1.log"
  }
  composed=$(instructions composed_loop)
  hand=$(instructions hand_loop)
  awk -v c="$composed" -v h="$hand" 'BEGIN {
    printf "instructions per token: composed %.1f, by hand %.1f, ratio %.3f\n", c / 1e5, h / 1e5, c / h }'
else
  echo "valgrind not installed (Debian: apt-get install valgrind): instructions not counted"
fi
nvcc=$(command -v nvcc || command -v "${CUDA_HOME:-/usr/local/cuda}/bin/nvcc") || {
  echo "nvcc not installed: registers not counted"
  exit 0
}
for arch in sm_80 sm_90; do
  "$nvcc" -std=c++20 --expt-relaxed-constexpr -I kernels_inl -I benchmarks -O3 -arch="$arch" -cubin -Xptxas -v \
    benchmarks/objective_registers.cu -o "$out/registers.cubin" 2>&1 |
    awk -v arch="$arch" '/Compiling entry function/ { name = $0; sub(/.*function .'"'"'?/, "", name); sub(/_kernel.*/, "", name); gsub(/[^a-z]/, "", name) }
      /registers/ { for (i = 1; i <= NF; ++i) if ($i ~ /^registers/) print arch ": " name " " $(i - 1) " registers" }
      /spill/ && !/ 0 bytes spill stores/ { print arch ": " name " spills" }'
done
