#include "dualagent/model/token_sampling.hpp"

#include <cmath>
#include <cstddef>
#include <vector>

#include "dualagent/core/random.hpp"
#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("tokens are drawn as often as their probabilities say", "[model][sampling]") {
  const std::vector<double> logits{0.0, 1.0, -1.0, 2.0, 0.5};
  for (const float temperature : {1.0F, 0.5F}) {
    INFO("temperature " << temperature);
    double sum = 0;
    for (const double z : logits) sum += std::exp(z / static_cast<double>(temperature));
    std::vector<double> count(5);
    constexpr std::size_t kDraws = 20000;
    for (std::size_t i = 0; i < kDraws; ++i) {
      std::vector<double> row(logits.begin(), logits.end());
      std::vector<double> exps(kernels::padded<double>(5));
      const detail::DrawnToken drawn =
          detail::draw_token(5, SamplingOptions{.temperature = temperature},
                             RandomStream::from_seed(3).bits(i), row.data(), exps.data());
      const auto token = static_cast<std::size_t>(drawn.token);
      ++count.at(token);
      const double expected = logits[token] / static_cast<double>(temperature) - std::log(sum);
      if (i < 100) CHECK(static_cast<double>(drawn.log_prob) == Approx(expected).margin(1e-6));
    }
    for (std::size_t token = 0; token < 5; ++token) {
      const double p = std::exp(logits[token] / static_cast<double>(temperature)) / sum;
      CHECK(std::abs(count[token] - p * kDraws) < 5 * std::sqrt(p * (1 - p) * kDraws));
    }
  }
}

TEST_CASE("at temperature 0 the first of the most probable tokens is taken", "[model][sampling]") {
  std::vector<float> row{1.0F, 3.0F, 3.0F, 2.0F};
  std::vector<float> exps(kernels::padded<float>(4));
  const detail::DrawnToken drawn =
      detail::draw_token(4, SamplingOptions{.temperature = 0.0F}, 0, row.data(), exps.data());
  CHECK(drawn.token == 1);
  const double sum = std::exp(1.0) + 2 * std::exp(3.0) + std::exp(2.0);
  CHECK(static_cast<double>(drawn.log_prob) == Approx(3.0 - std::log(sum)).margin(1e-6));
}

TEST_CASE("the first reason to stop is said", "[model][sampling]") {
  const StopRule stop{.stop_tokens = {7},
                      .max_new_tokens = 3,
                      .stop_early = [](std::span<const Token> tokens) { return tokens[0] == 5; }};
  const auto reason = [&](std::vector<Token> tokens, bool full) {
    return detail::finish_reason(stop, tokens, full);
  };
  CHECK_FALSE(reason({1, 2}, false));
  CHECK(reason({5, 2, 7}, true) == FinishReason::stop);
  CHECK(reason({5, 2, 2}, true) == FinishReason::early);
  CHECK(reason({1, 2, 3}, true) == FinishReason::length);
  CHECK(reason({1, 2}, true) == FinishReason::context_full);
}
