#!/usr/bin/env bash
# Builds and runs the CUDA tests and examples; says what is missing if it cannot.
#   bash tests/cuda/run.sh [sanitize]     sanitize: also under compute-sanitizer's three tools
#   CATCH2_V2=FOLDER    where catch2/catch.hpp of Catch2 v2 is, if Catch2 v3 is installed: nvcc 13.0 does
#                       not come back from these tests with v3
set -euo pipefail
cd "$(dirname "$0")/../.."
if ! nvidia-smi -L >/dev/null 2>&1; then
  echo "CUDA tests: no device"
  exit 0
fi
nvcc=$(command -v nvcc || command -v "${CUDA_HOME:-/usr/local/cuda}/bin/nvcc") || {
  echo "CUDA tests: nvcc is not installed"
  exit 0
}
mkdir -p build/cuda
flags=(-std=c++20 --expt-relaxed-constexpr -I include -I kernels_inl -I tests -O3 -arch=native)
if [ -n "${CATCH2_V2:-}" ]; then
  flags+=(-I "$CATCH2_V2" -DDUALAGENT_CATCH2_V2)
elif echo '#include <catch2/catch_all.hpp>' | "$nvcc" -x cu -E - >/dev/null 2>&1; then
  echo "CUDA tests: not built, nvcc hangs on Catch2 v3; give CATCH2_V2=FOLDER of v2's headers"
  exit 0
fi
"$nvcc" "${flags[@]}" tests/cuda/cuda_test.cu tests/cuda/sampling_test.cu tests/cuda/learner_test.cu tests/cuda/cpu_head.cpp \
  tests/support/main.cpp -lcublasLt -o build/cuda/tests
build/cuda/tests
if [ "${1:-}" = sanitize ]; then
  for tool in memcheck racecheck initcheck; do
    compute-sanitizer --tool "$tool" --error-exitcode 1 build/cuda/tests \
      '~a failed CUDA call names itself'  # it fails on purpose
  done
fi
if echo '#include <nccl.h>' | "$nvcc" -x cu -E - >/dev/null 2>&1; then
  "$nvcc" "${flags[@]}" tests/cuda/nccl_test.cu tests/support/main.cpp -lnccl -o build/cuda/nccl_tests
  build/cuda/nccl_tests
else
  echo "NCCL tests: nccl.h is not installed"
fi
"$nvcc" "${flags[@]}" examples/own_objective/cuda.cu -o build/cuda/own_objective
build/cuda/own_objective
