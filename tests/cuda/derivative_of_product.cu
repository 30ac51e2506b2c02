// compile.sh looks at its PTX: the derivative of x y is y, which must then be loaded. nvcc 13.0
// once made it 0, see known_zero in kernels/dual.inl.

#include "dualagent/kernels/dual.inl"

extern "C" __global__ void derivative_of_product(const float* x, float* derivative) {
  using dualagent::kernels::variable;
  *derivative = (variable<float, 2>(x[0], 0) * variable<float, 2>(x[1], 1)).d[0];
}
