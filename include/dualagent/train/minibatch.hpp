#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <type_traits>
#include <vector>

#include "dualagent/cpu/loops.inl"
#include "dualagent/loops/loss_weight.inl"
#include "dualagent/objective/aggregation.hpp"
#include "dualagent/summary/view.hpp"
#include "dualagent/train/step_rows.hpp"

namespace dualagent {

/// Cuts minibatches out of a step's rows and weighs their tokens by the aggregation, which counts
/// over all ranks (loops::LossWeights). Where the view aggregates the agents apart, each is counted
/// for itself.
template <class Recipe>
class MinibatchPacker {
 public:
  /// Appends to `batch` the rows of the rollouts `members` that this model of the pair owns and
  /// that `is_read(rollout)`; all of its rows are counted, read or not. Returns the number of
  /// trained tokens in all ranks' batches.
  template <class IsRead, class Collective>
  double pack(const Recipe& recipe, const StepRows& rows, std::size_t model,
              std::span<const std::size_t> members, const IsRead& is_read, Collective& collective,
              PackedBatch& batch) {
    std::array<double, 7> counts{};  // tokens, rollouts, segments of each part; tokens read
    counts[6] = choose(rows, model, members, is_read);
    const loops::SegmentTable table = rows.table();
    for (std::size_t part = 0; part < kParts; ++part) {
      const TokenCounts here = counters_[part].count_tokens(machine_, table, weight_[part].data());
      counts[part] = here.tokens;
      counts[2 + part] = here.rollouts;
      counts[4 + part] = here.segments;
    }
    collective.all_reduce_sum(std::span<double>(counts));
    for (std::size_t part = 0; part < kParts; ++part)
      counters_[part].apply(machine_, weight_of(recipe, part), table,
                            {counts[part], counts[2 + part], counts[4 + part]},
                            weight_[part].data());
    for (const std::size_t row : chosen_) append_weighted(rows, row, batch);
    return counts[6];
  }

 private:
  static constexpr bool kAgentsApart = AggregatesAgentsApart<decltype(Recipe::view)>;
  static constexpr std::size_t kParts = kAgentsApart ? 2 : 1;  // one, or one of each agent
  static constexpr std::size_t part_of(AgentRole agent) {
    return kAgentsApart ? static_cast<std::size_t>(agent) : 0;
  }

  /// The aggregation, times the weight of a part's agent.
  struct PartWeight {
    std::remove_cv_t<decltype(decltype(Recipe::objective)::aggregation)> aggregation;
    double agent_weight;
    constexpr double weight(const TokenCounts& counts) const {
      return aggregation.weight(counts) * agent_weight;
    }
  };
  static PartWeight weight_of(const Recipe& recipe, std::size_t part) {
    double agent_weight = 1.0;
    if constexpr (kAgentsApart)
      agent_weight = recipe.view.agent_weight(static_cast<AgentRole>(part));
    return {recipe.objective.aggregation, agent_weight};
  }

  /// Marks what is counted and notes which rows are read; returns how many trained tokens are.
  template <class IsRead>
  double choose(const StepRows& rows, std::size_t model, std::span<const std::size_t> members,
                const IsRead& is_read) {
    for (std::vector<float>& weight : weight_) weight.assign(rows.batch.size(), 0.0F);
    chosen_.clear();
    double read = 0;
    for (const std::size_t i : members)
      for (std::size_t row = rows.first_row(i); row < rows.first_row(i + 1); ++row) {
        if (rows.rows[row].model != model) continue;
        for (std::size_t t = rows.batch.row_begin[row]; t < rows.batch.row_begin[row + 1]; ++t)
          weight_[part_of(rows.batch.agent[t])][t] = rows.batch.loss_weight[t];
        if (!is_read(i)) continue;
        chosen_.push_back(row);
        read += rows.rows[row].tokens[0] + rows.rows[row].tokens[1];
      }
    return read;
  }

  void append_weighted(const StepRows& rows, std::size_t row, PackedBatch& batch) const {
    const std::size_t begin = batch.append_row_of(rows.batch, row);
    for (std::size_t t = begin; t < batch.size(); ++t)
      batch.loss_weight[t] =
          weight_[part_of(batch.agent[t])][rows.batch.row_begin[row] + (t - begin)];
  }

  cpu::Loops machine_;
  std::array<loops::LossWeights<cpu::Loops>, kParts> counters_;
  std::array<std::vector<float>, kParts> weight_;  // [T of the step] of tokens that are counted
  std::vector<std::size_t> chosen_;                // rows that are read
};

}  // namespace dualagent
