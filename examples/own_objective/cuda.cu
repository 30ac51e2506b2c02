// The same objective in a CUDA kernel, compared with the CPU token by token.
//   nvcc -std=c++20 --expt-relaxed-constexpr -I include -I kernels_inl -O3 -arch=native \
//     examples/own_objective/cuda.cu -o own_objective_cuda && ./own_objective_cuda

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <span>
#include <vector>

#include "dualagent/core/random.hpp"
#include "dualagent/cuda/loops.cuh"
#include "dualagent/loops/token_loss.inl"
#include "own_objective.hpp"
namespace da = dualagent;

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
  const auto device = [](const std::vector<float>& column) {
    return da::gpu::Buffer<float>(std::span(column));
  };
  const auto d_weight = device(weight), d_log_prob = device(log_prob), d_old = device(old_log_prob),
             d_advantage = device(advantage);
  da::gpu::Buffer<da::kernels::TokenGradient<float>> out(kTokens);
  da::gpu::Loops machine;
  da::loops::token_loss(
      machine, own::Objective{}, kTokens, d_weight.data(), {.log_prob = d_log_prob.data()},
      {.old_log_prob = d_old.data(), .advantage = d_advantage.data()}, out.data());
  double worst = 0;
  const auto found = out.download();
  for (std::size_t i = 0; i < kTokens; ++i) {
    da::kernels::TokenGradient<double> expected;
    if (weight[i] != 0.0F)
      expected =
          da::differentiate(own::SoftClip{}, da::TokenTerms<double>{.log_prob = log_prob[i],
                                                                    .old_log_prob = old_log_prob[i],
                                                                    .advantage = advantage[i]});
    worst = std::max({worst, std::abs(found[i].value - expected.value),
                      std::abs(found[i].d_log_prob - expected.d_log_prob)});
  }
  std::printf("%zu tokens, largest difference from the CPU %.1e\n", kTokens, worst);
  return worst < 1e-4 ? 0 : 1;
} catch (const da::Error& error) {
  std::fprintf(stderr, "error: %s\n", error.what());
  return 1;
}
