#!/usr/bin/env bash
# Seconds of a processor that g++ -O2 takes for a user's trainer and for the umbrella header alone, from the headers
# alone and beside the library compiled once, and for that library; in turn, least of 3.
#   bash benchmarks/compile_time.sh [COMPILER]
set -euo pipefail
cd "$(dirname "$0")/.."
compiler=${1:-g++}
mkdir -p build
printf '#include "dualagent/dualagent.hpp"\nint main() {}\n' >build/umbrella.cpp
cmake -S . -B build/compile_time -DCMAKE_CXX_COMPILER="$compiler" -DDUALAGENT_BUILD_TESTS=OFF \
  -DDUALAGENT_BUILD_EXAMPLES=OFF -DDUALAGENT_BUILD_BENCHMARKS=OFF >build/compile_time.log

seconds() { # FILE [FLAG...]: user and system time
  TIMEFORMAT='%U %S'
  { time "$compiler" -std=c++20 -O2 -I include -I kernels_inl -c "$@" -o build/compile_time.o; } 2>&1 |
    awk '{ printf "%.1f", $1 + $2 }'
}
for turn in 1 2 3; do
  for mode in header_only DUALAGENT_COMPILED; do
    for file in build/umbrella.cpp examples/first_trainer.cpp; do
      echo "$(basename "$file") $mode $(seconds "$file" -D$mode)"
    done
  done
  for file in build/compile_time/compiled_{other,text}.cpp cmake/compiled_transformer.cpp; do
    [ $turn -gt 1 ] || echo "$(basename "$file") DUALAGENT_COMPILED $(seconds "$file" -DDUALAGENT_COMPILED)"
  done
done | sort -k1,2 -k3n | awk '!seen[$1 $2]++ { printf "%-24s %-18s %6.1f s\n", $1, $2, $3 }'
