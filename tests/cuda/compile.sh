#!/usr/bin/env bash
# Compiles all CUDA code for sm_80 and sm_90; no GPU is needed. Fails if a kernel spills registers, if a
# composed objective needs more than 4 registers more than the same loss written by hand, or if a kernel
# loses a derivative.
set -euo pipefail
cd "$(dirname "$0")/../.."
nvcc=$(command -v nvcc || command -v "${CUDA_HOME:-/usr/local/cuda}/bin/nvcc") || {
  echo "CUDA: nothing compiled, nvcc is not installed"
  exit 0
}
out=build/cuda
mkdir -p "$out"
flags=(-std=c++20 --expt-relaxed-constexpr -I include -I kernels_inl -I tests)

compile() { # NAME ARCHITECTURE SOURCE
  "$nvcc" "${flags[@]}" -O3 -arch="$2" -Xptxas -v -c "$3" -o "$out/object.o" >"$out/$1.$2.log" 2>&1 ||
    { cat "$out/$1.$2.log" >&2; echo "CUDA: $3 does not compile for $2" >&2; return 1; }
  if grep 'spill stores' "$out/$1.$2.log" | grep -qv ' 0 bytes spill stores, 0 bytes spill loads'; then
    grep -B1 'spill stores' "$out/$1.$2.log" >&2
    echo "CUDA: a kernel of $3 spills registers on $2" >&2
    return 1
  fi
}
registers() { # KERNEL LOG
  grep -A4 "Compiling entry function '$1'" "$2" | sed -n 's/.*Used \([0-9]*\) registers.*/\1/p' | head -1
}

without=none
echo '#include <nccl.h>' | "$nvcc" -x cu -E - >/dev/null 2>&1 || {
  echo "CUDA: what needs NCCL is not compiled, nccl.h is not installed"
  without=nccl
}
headers=$(git ls-files 'kernels_inl/dualagent/*.inl' 'kernels_inl/dualagent/*.cuh' |
  grep -v -e simd.inl -e '/cpu/' -e "$without" | sed 's|kernels_inl/||')
for header in $headers; do # each alone
  echo "#include \"$header\"" >"$out/header.cu"
  "$nvcc" "${flags[@]}" -arch=sm_80 -c "$out/header.cu" -o "$out/object.o"
done
echo "CUDA: $(echo "$headers" | wc -l) headers compile alone with nvcc"

"$nvcc" "${flags[@]}" -arch=sm_80 -ptx tests/cuda/derivative_of_product.cu -o "$out/derivative.ptx"
grep -q 'ld.global.f32.*+4\]' "$out/derivative.ptx" || {
  echo "CUDA: the derivative of x y does not read y, see $out/derivative.ptx" >&2
  exit 1
}

for arch in sm_80 sm_90; do
  kernels=0
  for source in $(git ls-files '*.cu' | grep -v -e "$without"); do
    name=$(basename "${source%.cu}")
    compile "$name" "$arch" "$source"
    kernels=$((kernels + $(sed -n '/Compiling entry function/p' "$out/$name.$arch.log" | wc -l)))
  done
  composed=$(registers composed_kernel "$out/objective_registers.$arch.log")
  by_hand=$(registers hand_kernel "$out/objective_registers.$arch.log")
  echo "CUDA: $kernels kernels for $arch, none spills; the clip loss takes $composed registers composed, $by_hand by hand"
  [ "$composed" -le $((by_hand + 4)) ]
done
