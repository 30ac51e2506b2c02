#pragma once

#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

#include "dualagent/core/random.hpp"
#include "dualagent/kernels/combine.inl"
#include "dualagent/kernels/token_loss.inl"
#include "dualagent/objective/recipes.hpp"
#include "support/catch.hpp"

/// Checks of the loops over kernels_inl, one body for every machine. A machine M has
/// - `m.for_each(count, body)`, `m.map_reduce(count, op, map)`,
///   `m.segmented_map_reduce(begin, op, map)` -> a state per segment,
/// - `m.token_loss(objective, columns)` -> a gradient per token, of `Columns` below,
/// - `m.view(vector)` -> what a body may read and write, `m.fetch(view, size)` -> a vector.
/// Expected values are those of plain loops in double.
namespace loop_cases {

using namespace dualagent;

/// Numbers of both signs.
inline std::vector<float> some_numbers(std::size_t count, std::uint64_t seed) {
  const RandomStream random = RandomStream::from_seed(seed);
  std::vector<float> numbers;
  for (std::size_t i = 0; i < count; ++i) numbers.push_back(static_cast<float>(random.normal(i)));
  return numbers;
}

struct Square {
  float* x;
  DUALAGENT_HD void operator()(std::size_t i) const { x[i] = x[i] * x[i]; }
};
struct Read {
  const float* x;
  DUALAGENT_HD float operator()(std::size_t i) const { return x[i]; }
};
template <class Operator>
struct ReadState {
  const float* x;
  DUALAGENT_HD auto operator()(std::size_t i) const { return Operator::of(x[i]); }
};

template <class Machine>
void check_for_each(Machine& machine) {
  for (const std::size_t count : {0U, 1U, 255U, 256U, 257U, 100000U}) {
    const std::vector<float> numbers = some_numbers(count, 1);
    const auto view = machine.view(numbers);
    machine.for_each(count, Square{view});
    const std::vector<float> found = machine.fetch(view, count);
    for (std::size_t i = 0; i < count; ++i)
      if (found[i] != numbers[i] * numbers[i]) FAIL("element " << i << " of " << count);
  }
}

template <class Machine>
void check_map_reduce(Machine& machine) {
  for (const std::size_t count : {0U, 1U, 31U, 1000U, 100000U}) {
    INFO(count << " numbers");
    const std::vector<float> numbers = some_numbers(count, 2);
    const auto view = machine.view(numbers);
    double sum = 0, top = -std::numeric_limits<double>::infinity(), exps = 0;
    for (const float x : numbers) {
      sum += static_cast<double>(x);
      top = std::max(top, static_cast<double>(x));
      exps += std::exp(static_cast<double>(x));
    }
    CHECK(static_cast<double>(machine.map_reduce(count, kernels::Sum<float>{}, Read{view})) ==
          Approx(sum).margin(1e-3 * std::sqrt(static_cast<double>(count + 1))));
    CHECK(static_cast<double>(machine.map_reduce(count, kernels::Maximum<float>{}, Read{view})) ==
          top);
    if (count == 0) continue;
    using LogSumExp = kernels::LogSumExp<float>;
    const auto state = machine.map_reduce(count, LogSumExp{}, ReadState<LogSumExp>{view});
    CHECK(static_cast<double>(state.value()) == Approx(std::log(exps)).epsilon(1e-5));
  }
}

template <class Machine>
void check_segments(Machine& machine) {
  const std::vector<float> numbers = some_numbers(1000, 3);
  const std::vector<std::size_t> begin{0, 1, 1, 40, 700, 1000};
  using Moments = kernels::Moments<float>;
  const auto found =
      machine.segmented_map_reduce(begin, Moments{}, ReadState<Moments>{machine.view(numbers)});
  REQUIRE(found.size() == 5);
  for (std::size_t s = 0; s < 5; ++s) {
    INFO("segment " << s);
    const std::size_t size = begin[s + 1] - begin[s];
    double mean = 0, squares = 0;
    for (std::size_t i = begin[s]; i < begin[s + 1]; ++i)
      mean += static_cast<double>(numbers[i]) / static_cast<double>(size);
    for (std::size_t i = begin[s]; i < begin[s + 1]; ++i)
      squares += std::pow(static_cast<double>(numbers[i]) - mean, 2);
    CHECK(found[s].count == static_cast<float>(size));
    CHECK(static_cast<double>(found[s].mean) == Approx(mean).epsilon(1e-4).margin(1e-5));
    CHECK(static_cast<double>(found[s].squares) == Approx(squares).epsilon(1e-4).margin(1e-5));
  }
}

/// Columns of a batch; see cuda::TokenColumns.
struct Columns {
  std::vector<float> loss_weight, log_prob, entropy, old_log_prob, reference_log_prob, advantage;
};

inline Columns some_columns(std::size_t tokens) {
  const RandomStream random = RandomStream::from_seed(4);
  Columns columns;
  for (std::size_t t = 0; t < tokens; ++t) {
    const auto number = [&](std::uint64_t column) {
      return static_cast<float>(random.normal(6 * t + column));
    };
    columns.loss_weight.push_back(t % 3 == 0 ? 0.0F : 0.5F);
    columns.old_log_prob.push_back(-std::abs(number(0)));
    columns.log_prob.push_back(columns.old_log_prob.back() + 0.3F * number(1));
    columns.reference_log_prob.push_back(columns.old_log_prob.back() + 0.3F * number(2));
    columns.entropy.push_back(std::abs(number(3)));
    columns.advantage.push_back(number(4));
  }
  columns.log_prob[3] = std::numeric_limits<float>::quiet_NaN();  // masked: must not be read
  return columns;
}

/// The clip loss with a k2 penalty and an entropy bonus, derived by hand.
template <class Machine>
void check_token_loss(Machine& machine) {
  const Columns in = some_columns(5000);
  const Objective objective{GroupNormalized{}, ClipLoss{.clip_low = 0.2, .clip_high = 0.3},
                            GlobalTokenMean{}, NoCorrection{},
                            KlPenalty<K2>{0.5} + EntropyBonus{0.25}};
  const auto found = machine.token_loss(objective, in);
  std::size_t wrong = 0;
  for (std::size_t t = 0; t < in.loss_weight.size(); ++t) {
    double value = 0, d_log_prob = 0, d_entropy = 0;
    if (in.loss_weight[t] != 0) {
      const double a = static_cast<double>(in.advantage[t]);
      const double ratio = std::exp(static_cast<double>(in.log_prob[t] - in.old_log_prob[t]));
      const double d = static_cast<double>(in.log_prob[t] - in.reference_log_prob[t]);
      const bool clipped = (a > 0 && ratio > 1.3) || (a < 0 && ratio < 0.8);
      value = -(clipped ? (a > 0 ? 1.3 : 0.8) : ratio) * a + 0.25 * d * d -
              0.25 * static_cast<double>(in.entropy[t]);
      d_log_prob = (clipped ? 0.0 : -ratio * a) + 0.5 * d;
      d_entropy = -0.25;
    }
    const auto differs = [](float got, double expected) {
      return !(std::abs(static_cast<double>(got) - expected) <= 1e-5 * (1 + std::abs(expected)));
    };
    wrong += differs(found[t].value, value) || differs(found[t].d_log_prob, d_log_prob) ||
             differs(found[t].d_entropy, d_entropy);
  }
  CHECK(wrong == 0);
}

}  // namespace loop_cases
