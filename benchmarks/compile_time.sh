#!/usr/bin/env bash
# Seconds that g++ -O2 takes for a user's trainer and for the umbrella header alone, median of 3.
#   bash benchmarks/compile_time.sh [COMPILER]
set -euo pipefail
cd "$(dirname "$0")/.."
compiler=${1:-g++}
mkdir -p build
printf '#include "dualagent/dualagent.hpp"\nint main() {}\n' >build/umbrella.cpp

seconds() {
  for _ in 1 2 3; do
    local start
    start=$(date +%s%N)
    "$compiler" -std=c++20 -O2 -I include -I kernels_inl -c "$1" -o build/compile_time.o
    echo $((($(date +%s%N) - start) / 1000000))
  done | sort -n | sed -n 2p
}
printf '%-28s %6.1f s\n' "umbrella header" "$(seconds build/umbrella.cpp | awk '{print $1/1000}')"
printf '%-28s %6.1f s\n' "examples/first_trainer.cpp" "$(seconds examples/first_trainer.cpp | awk '{print $1/1000}')"
