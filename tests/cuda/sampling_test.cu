// Sampling on a CUDA device or on the emulator, beside the CPU's.

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "cuda/cuda_machine.cuh"
#include "cuda/loop_cases.hpp"
#include "dualagent/cpu/sampling.inl"
#include "support/catch.hpp"
#include "support/error_of.hpp"

namespace {

/// What the CPU samples row r from: exp((logit - largest logit) / temperature).
std::vector<float> weights_of(const loop_cases::SamplingProblem& problem, std::size_t r) {
  const float* const row = problem.logits.data() + r * problem.vocab;
  const float top = *std::max_element(row, row + problem.vocab);
  std::vector<float> e;
  for (std::size_t v = 0; v < problem.vocab; ++v)
    e.push_back(dualagent::kernels::portable_exp((row[v] - top) * (1.0F / problem.temperature[r])));
  return e;
}

}  // namespace

TEST_CASE("a device draws the very tokens that the CPU draws", "[cuda]") {
  const loop_cases::SamplingProblem problem;
  CudaMachine machine;
  const std::vector<dualagent::Token> found =
      machine.sample(problem.logits, problem.vocab, problem.random, problem.temperature);
  std::size_t different = 0;
  for (std::size_t r = 0; r < problem.rows; ++r) {
    if (problem.temperature[r] == 0.0F) continue;
    std::vector<float> e = weights_of(problem, r);
    different += static_cast<std::size_t>(found[r]) !=
                 dualagent::cpu::sample(e.size(), e.data(), problem.random[r].bits(0));
  }
  CHECK(different == 0);
}

TEST_CASE("a device leaves out the very tokens that the CPU leaves out", "[cuda]") {
  loop_cases::SamplingProblem problem;
  problem.rows = 48;
  problem.logits.resize(problem.rows * problem.vocab);
  problem.random.resize(problem.rows);
  problem.temperature.resize(problem.rows);
  std::vector<std::size_t> top_k;
  std::vector<float> top_p, min_p;
  for (std::size_t r = 0; r < problem.rows; ++r) {
    top_k.push_back(std::array<std::size_t, 4>{0, 1, 20, 6000}[r % 4]);
    top_p.push_back(std::array{1.0F, 0.9F, 0.3F}[r % 3]);
    min_p.push_back(std::array{0.0F, 0.0F, 0.05F, 0.0F, 1.0F}[r % 5]);
    // Equally probable tokens: whole numbers as logits.
    for (std::size_t v = 0; r % 2 == 0 && v < problem.vocab; ++v)
      problem.logits[r * problem.vocab + v] = std::round(problem.logits[r * problem.vocab + v]);
  }
  Device device;
  gpu::RowFaults faults;
  const auto tokens = device.view(std::vector<dualagent::Token>(problem.rows, -1));
  const gpu::SamplingRows rows{.random = device.view(problem.random),
                               .temperature = device.view(problem.temperature),
                               .top_k = device.view(top_k),
                               .top_p = device.view(top_p),
                               .min_p = device.view(min_p)};
  const auto logits = gpu::dense(static_cast<const float*>(device.view(problem.logits)),
                                 problem.rows, problem.vocab);
  gpu::sample(logits, rows, tokens, faults);
  const std::vector<dualagent::Token> found = device.fetch(tokens, problem.rows);
  std::size_t different = 0, left_out = 0;
  for (std::size_t r = 0; r < problem.rows; ++r) {
    if (problem.temperature[r] == 0.0F) continue;
    std::vector<float> e = weights_of(problem, r);
    left_out += dualagent::cpu::leave_out(e.size(), e.data(), top_k[r], top_p[r], min_p[r]) != 0;
    different += static_cast<std::size_t>(found[r]) !=
                 dualagent::cpu::sample(e.size(), e.data(), problem.random[r].bits(0));
  }
  CHECK(different == 0);
  CHECK(left_out > problem.rows / 2);

  top_p[3] = 0.0F;
  gpu::SamplingRows wrong = rows;
  wrong.top_p = device.view(top_p);
  CHECK_THAT(error_of([&] { gpu::sample(logits, wrong, tokens, faults); }),
             ContainsSubstring("top_p") && ContainsSubstring("row 3"));
}

TEST_CASE("sampling refuses a row without a largest logit", "[cuda]") {
  CudaMachine machine;
  loop_cases::SamplingProblem problem;
  std::fill_n(problem.logits.data() + 5 * problem.vocab, problem.vocab, std::nanf(""));
  const auto error = [&] {
    return error_of([&] {
      machine.sample(problem.logits, problem.vocab, problem.random, problem.temperature);
    });
  };
  CHECK_THAT(error(), ContainsSubstring("row 5"));
  problem.temperature[2] = -1;
  CHECK_THAT(error(), ContainsSubstring("temperature") && ContainsSubstring("row 2"));
}
