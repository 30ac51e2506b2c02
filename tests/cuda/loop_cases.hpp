#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

#include "dualagent/core/random.hpp"
#include "dualagent/core/types.hpp"
#include "dualagent/kernels/combine.inl"
#include "dualagent/loops/group_advantage.inl"
#include "dualagent/loops/loss_weight.inl"
#include "dualagent/loops/means.inl"
#include "dualagent/loops/optimizer.inl"
#include "dualagent/loops/token_loss.inl"
#include "dualagent/objective/recipes.hpp"
#include "dualagent/optim/adamw.hpp"
#include "support/catch.hpp"
#include "support/normals.hpp"

/// Checks of the loops over kernels_inl, one body for every machine. A machine M has
/// - `m.loops`: cpu::Loops, gpu::Loops or any other with their face,
/// - `m.view(vector)` -> a pointer to a copy where bodies run, `m.fetch(pointer, size)` -> a
/// vector,
/// - `m.sample(logits, vocab, random, temperature)` -> a token per row.
/// Expected values are those of plain loops in double.
namespace loop_cases {

using namespace dualagent;

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
    const std::vector<float> numbers = normals<float>(count, 1);
    const auto view = machine.view(numbers);
    machine.loops.for_each(count, Square{view});
    const std::vector<float> found = machine.fetch(view, count);
    for (std::size_t i = 0; i < count; ++i)
      if (found[i] != numbers[i] * numbers[i]) FAIL("element " << i << " of " << count);
  }
}

template <class Machine>
void check_map_reduce(Machine& machine) {
  for (const std::size_t count : {0U, 1U, 31U, 1000U, 100000U}) {
    INFO(count << " numbers");
    const std::vector<float> numbers = normals<float>(count, 2);
    const auto view = machine.view(numbers);
    double sum = 0, squares = 0;
    for (const float x : numbers) sum += static_cast<double>(x);
    const double mean = sum / static_cast<double>(count);
    for (const float x : numbers) squares += std::pow(static_cast<double>(x) - mean, 2);
    CHECK(static_cast<double>(machine.loops.map_reduce(count, kernels::Sum<float>{}, Read{view})) ==
          Approx(sum).margin(1e-3 * std::sqrt(static_cast<double>(count + 1))));
    using Moments = kernels::Moments<float>;
    const auto state = machine.loops.map_reduce(count, Moments{}, ReadState<Moments>{view});
    CHECK(state.count == static_cast<float>(count));
    if (count == 0) continue;
    CHECK(static_cast<double>(state.mean) == Approx(mean).epsilon(1e-4).margin(1e-5));
    CHECK(static_cast<double>(state.squares) == Approx(squares).epsilon(1e-4).margin(1e-5));
  }
}

template <class Machine>
void check_segments(Machine& machine) {
  const std::vector<float> numbers = normals<float>(1000, 3);
  const std::vector<std::size_t> begin{0, 1, 1, 40, 700, 1000};
  using Moments = kernels::Moments<float>;
  const auto results = machine.view(std::vector<Moments::State>(5));
  machine.loops.segmented_map_reduce(5, machine.view(begin), Moments{},
                                     ReadState<Moments>{machine.view(numbers)}, results);
  const auto found = machine.fetch(results, 5);
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

/// Columns of a batch; see loops::TokenColumns.
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
  const std::size_t tokens = in.loss_weight.size();
  const auto out = machine.view(std::vector<kernels::TokenGradient<float>>(tokens));
  loops::token_loss(machine.loops, objective, tokens, machine.view(in.loss_weight),
                    {.log_prob = machine.view(in.log_prob), .entropy = machine.view(in.entropy)},
                    {.old_log_prob = machine.view(in.old_log_prob),
                     .reference_log_prob = machine.view(in.reference_log_prob),
                     .advantage = machine.view(in.advantage)},
                    out);
  const auto found = machine.fetch(out, tokens);
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

/// Eleven tokens in five spans, four segments (one of them empty) and three rollouts.
struct Batch {
  std::vector<std::size_t> span_begin{0, 2, 5, 6, 9, 11};
  std::vector<float> span_weight{0.0F, 1.0F, 0.0F, 0.5F, 0.0F};  // tokens 2-4 and 6-8 are trained
  std::vector<std::size_t> segment_begin{0, 4, 4, 7, 11};
  std::vector<std::size_t> rollout_begin{0, 2, 3, 4};
};

/// By hand: tokens 2, 3 | 4, 6 | 7, 8 are trained, in segments 0, 2, 3 and rollouts 0, 1, 2.
template <class Machine, class Aggregation>
void check_loss_weights(Machine& machine, const Aggregation& aggregation,
                        const std::vector<double>& of_rollout) {
  const Batch batch;
  using Loops = decltype(machine.loops);
  const auto weight = machine.view(std::vector<float>(11, -1.0F));
  loops::span_weights(machine.loops, 11,
                      {5, machine.view(batch.span_begin), machine.view(batch.span_weight)}, weight);
  CHECK(machine.fetch(weight, 11) == std::vector<float>{0, 0, 1, 1, 1, 0, 0.5F, 0.5F, 0.5F, 0, 0});
  const loops::SegmentTable table{11, 4, 3, machine.view(batch.segment_begin),
                                  machine.view(batch.rollout_begin)};
  loops::LossWeights<Loops> weights;
  const kernels::TokenCounts totals = weights.count_tokens(machine.loops, table, weight);
  CHECK(totals.tokens == 6.0);
  CHECK(totals.rollouts == 3.0);
  CHECK(totals.segments == 3.0);
  weights.apply(machine.loops, aggregation, table, totals, weight);
  const auto found = machine.fetch(weight, 11);
  const std::vector<std::size_t> rollout_of{0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2};
  for (std::size_t t = 0; t < 11; ++t) {
    const double mask = t >= 2 && t <= 4 ? 1.0 : t >= 6 && t <= 8 ? 0.5 : 0.0;
    CHECK(static_cast<double>(found[t]) == Approx(mask * of_rollout[rollout_of[t]]));
  }
}

template <class Machine>
void check_loss_weights(Machine& machine) {
  check_loss_weights(machine, GlobalTokenMean{}, {1.0 / 6, 1.0 / 6, 1.0 / 6});
  check_loss_weights(machine, RolloutMean{}, {1.0 / 6, 1.0 / 6, 1.0 / 6});
  check_loss_weights(machine, FixedLength{.max_tokens = 10}, {1.0 / 30, 1.0 / 30, 1.0 / 30});
}

/// A long ragged batch: sums over its rollouts, segments and tokens by plain loops.
template <class Machine>
void check_long_loss_weights(Machine& machine) {
  std::vector<std::size_t> segment_begin{0}, rollout_begin{0};
  std::vector<float> mask;
  std::vector<double> per_segment, per_rollout;
  std::vector<std::size_t> segment_of, rollout_of;
  for (std::size_t r = 0; r < 40; ++r) {
    per_rollout.push_back(0);
    for (std::size_t s = 0; s <= r % 3; ++s) {
      per_segment.push_back(0);
      for (std::size_t t = 0; t < 1 + (r * 37 + s * 11) % 90; ++t) {
        mask.push_back(t % 4 == 1 ? 1.0F : 0.0F);
        per_segment.back() += static_cast<double>(mask.back());
        per_rollout.back() += static_cast<double>(mask.back());
        segment_of.push_back(per_segment.size() - 1);
        rollout_of.push_back(r);
      }
      segment_begin.push_back(mask.size());
    }
    rollout_begin.push_back(per_segment.size());
  }
  const loops::SegmentTable table{mask.size(), per_segment.size(), 40, machine.view(segment_begin),
                                  machine.view(rollout_begin)};
  double segments = 0, rollouts = 0;
  for (const double tokens : per_segment) segments += tokens > 0 ? 1 : 0;
  for (const double tokens : per_rollout) rollouts += tokens > 0 ? 1 : 0;
  const auto check = [&](const auto& aggregation, const auto& expected) {
    const auto weight = machine.view(mask);
    loops::LossWeights<decltype(machine.loops)> weights;
    weights.apply(machine.loops, aggregation, table,
                  weights.count_tokens(machine.loops, table, weight), weight);
    const auto found = machine.fetch(weight, mask.size());
    double worst = 0;
    for (std::size_t t = 0; t < mask.size(); ++t)
      worst = std::max(worst, std::abs(static_cast<double>(found[t]) -
                                       static_cast<double>(mask[t]) * expected(t)));
    CHECK(worst < 1e-7);
  };
  check(RolloutMean{}, [&](std::size_t t) {
    return per_rollout[rollout_of[t]] == 0 ? 0 : 1 / (rollouts * per_rollout[rollout_of[t]]);
  });
  check(SegmentMean{}, [&](std::size_t t) {
    return per_segment[segment_of[t]] == 0 ? 0 : 1 / (segments * per_segment[segment_of[t]]);
  });
}

template <class Machine>
void check_means(Machine& machine) {
  constexpr std::size_t kTokens = 1000;
  std::vector<float> value = normals<float>(kTokens, 5), weight(kTokens, 0.25F);
  for (std::size_t t = 0; t < kTokens; t += 3) {
    weight[t] = 0;
    value[t] = std::numeric_limits<float>::quiet_NaN();  // masked: must not be read
  }
  const std::vector<std::size_t> begin{0, 1, 1, 300, 1000};  // 0 is masked, 1 is empty
  const auto means = machine.view(std::vector<kernels::MeanState<double>>(4));
  loops::segmented_means(machine.loops, 4, machine.view(begin), machine.view(weight),
                         machine.view(value), means);
  const auto found = machine.fetch(means, 4);
  for (std::size_t s = 0; s < 4; ++s) {
    double sum = 0, count = 0;
    for (std::size_t t = begin[s]; t < begin[s + 1]; ++t)
      if (t % 3 != 0) sum += static_cast<double>(value[t]), ++count;
    CHECK(found[s].count == count);
    CHECK(found[s].mean() == Approx(count == 0 ? 0 : sum / count).epsilon(1e-12));
  }
}

/// By hand: groups {1, 0, 0, 1}, {0.3}, {}, {2, 2, 2}, {1, 2, 6}.
template <class Machine>
void check_group_advantage(Machine& machine) {
  const std::vector<double> reward{1, 0, 0, 1, 0.3, 2, 2, 2, 1, 2, 6};
  const std::vector<std::size_t> begin{0, 4, 5, 5, 8, 11};
  const auto check = [&](const auto& estimator, const std::vector<double>& expected) {
    typename decltype(machine.loops)::template Array<kernels::MomentsState<double>> moments;
    const auto advantage = machine.view(std::vector<double>(11, -9.0));
    loops::group_advantage(machine.loops, estimator, 11, machine.view(reward), 5,
                           machine.view(begin), moments, advantage);
    const auto found = machine.fetch(advantage, 11);
    for (std::size_t i = 0; i < 11; ++i) CHECK(found[i] == Approx(expected[i]).margin(1e-12));
  };
  const double a = 0.5 * std::sqrt(3.0), b = std::sqrt(7.0);
  check(GroupNormalized{.epsilon = 0}, {a, -a, -a, a, 0, 0, 0, 0, -2 / b, -1 / b, 3 / b});
  check(GroupCentered{}, {0.5, -0.5, -0.5, 0.5, 0, 0, 0, 0, -2, -1, 3});
  check(LeaveOneOut{}, {2.0 / 3, -2.0 / 3, -2.0 / 3, 2.0 / 3, 0, 0, 0, 0, -3, -1.5, 4.5});
}

/// Clipping to a norm, then three steps of AdamW, by their formulas in double.
template <class Machine>
void check_optimizer(Machine& machine) {
  constexpr std::size_t kWeights = 1500;
  const AdamW adamw{.learning_rate = 0.01, .weight_decay = 0.1};
  std::vector<float> start = normals<float>(kWeights, 6);
  std::vector<double> weight(start.begin(), start.end()), first(kWeights), second(kWeights);
  const auto on_machine = machine.view(start);
  const auto machine_first = machine.view(std::vector<float>(kWeights));
  const auto machine_second = machine.view(std::vector<float>(kWeights));
  for (std::uint64_t step = 1; step <= 3; ++step) {
    const std::vector<float> gradient = normals<float>(kWeights, 10 + step);
    double squares = 0;
    for (const float g : gradient) squares += static_cast<double>(g) * static_cast<double>(g);
    const auto machine_gradient = machine.view(gradient);
    const double norm =
        loops::global_norm(machine.loops, kWeights, static_cast<const float*>(machine_gradient));
    CHECK(norm == Approx(std::sqrt(squares)).epsilon(1e-12));
    loops::clip_to_norm(machine.loops, kWeights, machine_gradient, norm, 2.0 * norm);
    loops::clip_to_norm(machine.loops, kWeights, machine_gradient, norm, 1.0);
    loops::adamw(machine.loops, adamw.at_step<float>(step), kWeights,
                 static_cast<const float*>(machine_gradient), on_machine, machine_first,
                 machine_second);
    for (std::size_t i = 0; i < kWeights; ++i) {
      const double g = static_cast<double>(gradient[i]) / norm;
      first[i] = 0.9 * first[i] + 0.1 * g;
      second[i] = 0.999 * second[i] + 0.001 * g * g;
      const auto t = static_cast<double>(step);
      const double mean = first[i] / (1 - std::pow(0.9, t));
      const double root = std::sqrt(second[i] / (1 - std::pow(0.999, t)));
      weight[i] -= 0.01 * (mean / (root + 1e-8) + 0.1 * weight[i]);
    }
  }
  const auto found = machine.fetch(on_machine, kWeights);
  double worst = 0;
  for (std::size_t i = 0; i < kWeights; ++i)
    worst = std::max(worst, std::abs(static_cast<double>(found[i]) - weight[i]));
  CHECK(worst < 2e-5);
}

/// Rows of logits and where their randomness comes from.
struct SamplingProblem {
  std::size_t rows = 120, vocab = 5000;  // several tiles of a block
  std::vector<float> logits = normals<float>(rows * vocab, 8, 2.0), temperature;
  std::vector<RandomStream> random;

  SamplingProblem() {
    for (std::size_t r = 0; r < rows; ++r) {
      random.push_back(RandomStream::from_seed(9).child(r));
      temperature.push_back(r % 7 == 0 ? 0.0F : 0.5F + 0.25F * static_cast<float>(r % 4));
      logits[r * vocab + r % vocab] = -std::numeric_limits<float>::infinity();
    }
  }
};

/// Inversion of the distribution function in double; draws within 1e-6 of a step may go either way.
template <class Machine>
void check_sampling(Machine& machine) {
  const SamplingProblem problem;
  const std::vector<Token> found =
      machine.sample(problem.logits, problem.vocab, problem.random, problem.temperature);
  REQUIRE(found.size() == problem.rows);
  std::size_t wrong = 0, unclear = 0;
  for (std::size_t r = 0; r < problem.rows; ++r) {
    const float* const row = problem.logits.data() + r * problem.vocab;
    const auto top = static_cast<std::size_t>(std::max_element(row, row + problem.vocab) - row);
    if (problem.temperature[r] == 0) {
      wrong += found[r] != static_cast<Token>(top);
      continue;
    }
    const auto e = [&](std::size_t v) {
      return std::exp((static_cast<double>(row[v]) - static_cast<double>(row[top])) /
                      static_cast<double>(problem.temperature[r]));
    };
    double total = 0, below = 0;
    for (std::size_t v = 0; v < problem.vocab; ++v) total += e(v);
    const double wanted = problem.random[r].uniform(0) * total;
    std::size_t drawn = 0;
    while (below + e(drawn) <= wanted) below += e(drawn++);
    const double distance = std::min(wanted - below, below + e(drawn) - wanted) / total;
    unclear += distance < 1e-6;
    wrong += distance >= 1e-6 && found[r] != static_cast<Token>(drawn);
  }
  CHECK(wrong == 0);
  CHECK(unclear < 5);
}

/// All of them.
template <class Machine>
void check_all(Machine& machine) {
  check_for_each(machine);
  check_map_reduce(machine);
  check_segments(machine);
  check_token_loss(machine);
  check_loss_weights(machine);
  check_long_loss_weights(machine);
  check_means(machine);
  check_group_advantage(machine);
  check_optimizer(machine);
  check_sampling(machine);
}

}  // namespace loop_cases
