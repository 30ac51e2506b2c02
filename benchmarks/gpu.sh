#!/usr/bin/env bash
# Builds the CUDA benchmark, checks it against float64, times it beside torch (eager and compiled) and
# prints ratios and shares of the measured copy bandwidth and matrix rate. Needs a GPU and nvcc, no
# network.
#   bash benchmarks/gpu.sh [options of gpu_bench.cu, e.g. --rows 4096]
#   PYTHON=/path/to/python  the interpreter with torch; without torch only ours is measured
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
nvidia-smi -L >/dev/null 2>&1 || { echo "CUDA benchmarks: no device"; exit 0; }
nvcc=$(command -v nvcc || command -v "${CUDA_HOME:-/usr/local/cuda}/bin/nvcc") || {
  echo "CUDA benchmarks: nvcc is not installed"
  exit 0
}
mkdir -p build/cuda
"$nvcc" -std=c++20 --expt-relaxed-constexpr -I include -I kernels_inl -I tests -I benchmarks -O3 \
  -arch=native benchmarks/gpu_bench.cu -lcublasLt -o build/cuda/gpu_bench
lines=build/cuda/gpu.jsonl
build/cuda/gpu_bench "$@" | tee "$lines"
if "$python" -c 'import torch' 2>/dev/null; then
  shapes=()
  while [ $# -ge 2 ]; do
    case $1 in --rows | --vocab | --head-rows | --width | --repeats) shapes+=("$1" "$2") ;; esac
    shift 2
  done
  "$python" benchmarks/torch_gpu.py ${shapes[@]+"${shapes[@]}"} | tee -a "$lines"
else
  echo "torch not installed: ours only"
fi
nvidia-smi --query-gpu=name,driver_version --format=csv,noheader
"$python" benchmarks/gpu_table.py "$lines"
