// The same objective in a CUDA kernel, over thrust::device_vectors, compared with the CPU token by
// token.
//   nvcc -std=c++20 --expt-relaxed-constexpr -I include -I kernels_inl -O3 -arch=native \
//     examples/own_objective/cuda.cu -o own_objective_cuda && ./own_objective_cuda

#include <thrust/copy.h>
#include <thrust/device_vector.h>
#include <thrust/iterator/transform_iterator.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <exception>
#include <vector>

#include "dualagent/core/random.hpp"
#include "dualagent/cuda/loops.cuh"
#include "dualagent/cuda/thrust.cuh"
#include "dualagent/kernels/combine.inl"
#include "dualagent/loops/token_loss.inl"
#include "own_objective.hpp"
namespace da = dualagent;

namespace {
struct ValueOf {
  __host__ __device__ double operator()(const da::kernels::TokenGradient<float>& token) const {
    return token.value;
  }
};
}  // namespace

int main() try {
  constexpr std::size_t kTokens = 1 << 20;
  if (da::gpu::device_count() == 0) {
    std::printf("there is no CUDA device\n");
    return 0;
  }
  std::vector<float> weight(kTokens), log_prob(kTokens), old_log_prob(kTokens), advantage(kTokens);
  const da::RandomStream random = da::RandomStream::from_seed(1);
  for (std::size_t i = 0; i < kTokens; ++i) {
    weight[i] = i % 3 == 0 ? 0.0F : 1.0F;  // a third is masked
    old_log_prob[i] = static_cast<float>(-random.uniform(3 * i));
    log_prob[i] = old_log_prob[i] + static_cast<float>(0.5 * random.normal(3 * i + 1));
    advantage[i] = static_cast<float>(random.normal(3 * i + 2));
  }
  const thrust::device_vector<float> d_weight = weight, d_log_prob = log_prob, d_old = old_log_prob,
                                     d_advantage = advantage;
  thrust::device_vector<da::kernels::TokenGradient<float>> out(kTokens);
  da::gpu::Loops machine;
  using da::gpu::device_pointer;
  da::loops::token_loss(
      machine, own::Objective{}, kTokens, device_pointer(d_weight),
      {.log_prob = device_pointer(d_log_prob)},
      {.old_log_prob = device_pointer(d_old), .advantage = device_pointer(d_advantage)},
      device_pointer(out));
  const double sum = machine.map_reduce(
      kTokens, da::kernels::Sum<double>{},
      da::gpu::read_from(thrust::make_transform_iterator(out.begin(), ValueOf{})));
  double worst = 0, expected_sum = 0;
  std::vector<da::kernels::TokenGradient<float>> found(kTokens);
  thrust::copy(out.begin(), out.end(), found.begin());
  for (std::size_t i = 0; i < kTokens; ++i) {
    da::kernels::TokenGradient<double> expected;
    if (weight[i] != 0.0F)
      expected =
          da::differentiate(own::SoftClip{}, da::TokenTerms<double>{.log_prob = log_prob[i],
                                                                    .old_log_prob = old_log_prob[i],
                                                                    .advantage = advantage[i]});
    expected_sum += found[i].value;
    worst = std::max({worst, std::abs(found[i].value - expected.value),
                      std::abs(found[i].d_log_prob - expected.d_log_prob)});
  }
  std::printf("%zu tokens, largest difference from the CPU %.1e; mean loss %.6f\n", kTokens, worst,
              sum / kTokens);
  return worst < 1e-4 && std::abs(sum - expected_sum) < 1e-6 * kTokens ? 0 : 1;
} catch (const std::exception& error) {
  std::fprintf(stderr, "error: %s\n", error.what());
  return 1;
}
