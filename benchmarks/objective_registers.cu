// The same two losses as CUDA kernels; ptxas prints their registers.
//   bash benchmarks/objective_cost.sh

#include "objective_cost.hpp"

using Terms = dualagent::kernels::TokenTerms<float>;
using Gradient = dualagent::kernels::TokenGradient<float>;

extern "C" __global__ void composed_kernel(const Terms* terms, Gradient* out, int count) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) out[i] = objective_cost::Composed<float>{}.gradient(terms[i]);
}
extern "C" __global__ void hand_kernel(const Terms* terms, Gradient* out, int count) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) out[i] = objective_cost::ByHand<float>{}.gradient(terms[i]);
}
