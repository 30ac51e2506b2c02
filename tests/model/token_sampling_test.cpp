#include "dualagent/model/token_sampling.hpp"

#include <cmath>
#include <cstddef>
#include <fstream>
#include <nlohmann/json.hpp>
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

TEST_CASE("tokens that are left are drawn as often as their renormalised probabilities say",
          "[model][sampling]") {
  // At temperature 2 the weights are 1/4, 1, 1/2, 1/8; top-k leaves 1/4, 1 and 1/2.
  const double step = 2 * std::log(2.0);
  const std::vector<double> logits{-2 * step, 0.0, -step, -3 * step};
  const std::vector<double> kept{1.0 / 7, 4.0 / 7, 2.0 / 7, 0.0};
  const std::vector<double> full{2.0 / 15, 8.0 / 15, 4.0 / 15, 1.0 / 15};
  std::vector<int> count(4);
  constexpr std::uint64_t kDraws = 7000;
  for (std::uint64_t i = 0; i < kDraws; ++i) {  // the middles of equal parts of all bits
    std::vector<double> row = logits, exps(kernels::padded<double>(4));
    const detail::DrawnToken drawn = detail::draw_token(
        4, SamplingOptions{.temperature = 2.0F, .top_k = 3},
        (2 * i + 1) * (~std::uint64_t{0} / (2 * kDraws)), row.data(), exps.data());
    const auto token = static_cast<std::size_t>(drawn.token);
    ++count.at(token);
    if (i % 97 != 0) continue;
    CHECK(static_cast<double>(drawn.drawn_log_prob) == Approx(std::log(kept[token])).margin(1e-6));
    CHECK(static_cast<double>(drawn.log_prob) == Approx(std::log(full[token])).margin(1e-6));
  }
  for (std::size_t token = 0; token < 4; ++token)
    CHECK(std::abs(count[token] - kept[token] * kDraws) <= 1);
}

// Made by golden/sampling/make_sampling.py with transformers.
TEST_CASE("top-k, top-p and min-p leave what transformers leaves", "[model][sampling][golden]") {
  const auto golden =
      nlohmann::json::parse(std::ifstream(DUALAGENT_TEST_DATA "/sampling/sampling.json"));
  REQUIRE(golden.at("cases").size() == 120);
  std::size_t cut = 0;
  for (const nlohmann::json& one : golden.at("cases")) {
    INFO(one.dump());
    const auto logits = one.at("logits").get<std::vector<double>>();
    const SamplingOptions options{one.at("temperature"), one.at("top_k"), one.at("top_p"),
                                  one.at("min_p")};
    std::vector<double> row, exps(kernels::padded<double>(logits.size()));
    for (std::uint64_t i = 0; i < 8; ++i) {
      row = logits;
      const detail::DrawnToken drawn = detail::draw_token(
          logits.size(), options, RandomStream::from_seed(5).bits(i), row.data(), exps.data());
      const nlohmann::json& log_prob = one.at("log_probs")[static_cast<std::size_t>(drawn.token)];
      REQUIRE(log_prob.is_number());
      CHECK(static_cast<double>(drawn.drawn_log_prob) ==
            Approx(log_prob.get<double>()).margin(2e-6));
    }
    for (std::size_t token = 0; token < logits.size(); ++token) {
      // What is less probable than 2^-32 of the most probable token is never drawn.
      const bool drawable = exps[token] >= 0x1p-32;
      CHECK(drawable == one.at("log_probs")[token].is_number());
      cut += drawable ? 0 : 1;
    }
  }
  CHECK(cut > 1000);
}

TEST_CASE("options that leave nothing out change no bit", "[model][sampling]") {
  for (std::uint64_t i = 0; i < 50; ++i) {
    const auto draw = [&](const SamplingOptions& options) {
      std::vector<float> row{0.5F, -1.0F, 2.0F, 0.25F, -3.0F}, exps(kernels::padded<float>(5));
      return detail::draw_token(5, options, RandomStream::from_seed(4).bits(i), row.data(),
                                exps.data());
    };
    const detail::DrawnToken plain = draw({});
    const detail::DrawnToken whole = draw({.top_k = 5, .top_p = 0.9999F, .min_p = 1e-3F});
    CHECK(plain.drawn_log_prob == plain.log_prob);
    CHECK(whole.token == plain.token);
    CHECK(whole.log_prob == plain.log_prob);
    CHECK(whole.drawn_log_prob == plain.log_prob);
    const detail::DrawnToken greedy = draw({.temperature = 0.0F, .top_k = 2});
    CHECK(greedy.token == 2);
    CHECK(greedy.drawn_log_prob == greedy.log_prob);
    const detail::DrawnToken one = draw({.top_k = 1});
    CHECK(one.token == 2);
    CHECK(one.drawn_log_prob == 0.0F);
    CHECK(one.log_prob == greedy.log_prob);
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
