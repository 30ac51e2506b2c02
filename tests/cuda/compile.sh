#!/usr/bin/env bash
# Compiles all CUDA code for sm_80 and sm_90; no GPU is needed. Fails if a kernel spills registers, if a
# composed objective needs more than 4 registers more than the same loss written by hand, or if a kernel
# loses a derivative.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/support/side_by_side.sh
nvcc=$(command -v nvcc || command -v "${CUDA_HOME:-/usr/local/cuda}/bin/nvcc") || {
  echo "CUDA: nothing compiled, nvcc is not installed"
  exit 0
}
out=build/cuda
mkdir -p "$out"
flags=(-std=c++20 --expt-relaxed-constexpr -I include -I kernels_inl -I tests)
architectures=(-gencode "arch=compute_80,code=sm_80" -gencode "arch=compute_90,code=sm_90")

# Without -O the kernels are optimised all the same, and the host's code, which does not run here, is not;
# both architectures share its compilation.
compile() { # SOURCE
  local name log
  name=$(basename "${1%.cu}") && log=$out/$name.log || return 1
  "$nvcc" "${flags[@]}" "${architectures[@]}" -Xptxas -v -c "$1" -o "$out/$name.o" >"$log" 2>&1 ||
    { cat "$log" >&2; echo "CUDA: $1 does not compile" >&2; return 1; }
  if grep 'spill stores' "$log" | grep -qv ' 0 bytes spill stores, 0 bytes spill loads'; then
    grep -B2 'spill stores' "$log" >&2
    echo "CUDA: a kernel of $1 spills registers" >&2
    return 1
  fi
}
compile_header() { # HEADER: alone. By nvcc's own passes; g++ compiles what they print with the tests.
  local name=${1//\//_}
  echo "#include \"$1\"" >"$out/$name.cu" &&
    "$nvcc" "${flags[@]}" -arch=sm_80 -cuda "$out/$name.cu" -o "$out/$name.cpp"
}
registers() { # KERNEL: on $arch
  grep -A4 "Compiling entry function '$1' for '$arch'" "$out/objective_registers.log" |
    sed -n 's/.*Used \([0-9]*\) registers.*/\1/p' | head -1
}

without=none
echo '#include <nccl.h>' | "$nvcc" -x cu -E - >/dev/null 2>&1 || {
  echo "CUDA: what needs NCCL is not compiled, nccl.h is not installed"
  without=nccl
}
mapfile -t headers < <(git ls-files 'kernels_inl/dualagent/*.inl' 'kernels_inl/dualagent/*.cuh' |
  grep -v -e simd.inl -e '/cpu/' -e "$without" | sed 's|kernels_inl/||')
side_by_side "$(nproc)" compile_header "${headers[@]}"
echo "CUDA: ${#headers[@]} headers compile alone with nvcc"

"$nvcc" "${flags[@]}" -arch=sm_80 -ptx tests/cuda/derivative_of_product.cu -o "$out/derivative.ptx"
grep -q 'ld.global.f32.*+4\]' "$out/derivative.ptx" || {
  echo "CUDA: the derivative of x y does not read y, see $out/derivative.ptx" >&2
  exit 1
}

mapfile -t sources < <(git ls-files '*.cu' | grep -v -e "$without")
rm -f "$out"/*.log
side_by_side "$(nproc)" compile "${sources[@]}"
for arch in sm_80 sm_90; do
  kernels=$(cat "$out"/*.log | grep -c "Compiling entry function.* for '$arch'")
  composed=$(registers composed_kernel)
  by_hand=$(registers hand_kernel)
  echo "CUDA: $kernels kernels for $arch, none spills; the clip loss takes $composed registers composed, $by_hand by hand"
  [ "$composed" -le $((by_hand + 4)) ]
done
