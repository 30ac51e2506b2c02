#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include "dualagent/objective/aggregation.hpp"
#include "dualagent/summary/view.hpp"
#include "dualagent/train/step_rows.hpp"

namespace dualagent {

/// Cuts minibatches out of a step's rows and weighs their tokens by the aggregation, which counts
/// over all ranks. Where the view aggregates the agents apart, each is counted for itself.
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
    rollout_tokens_.assign(rows.rows.empty() ? 0 : rows.rows.back().rollout + 1, {});
    std::vector<std::size_t> chosen;
    std::array<double, 7> counts{};  // tokens, rollouts, segments of each part; tokens read
    for (const std::size_t i : members)
      for (std::size_t row = rows.first_row(i); row < rows.first_row(i + 1); ++row) {
        if (rows.rows[row].model != model) continue;
        const Parts tokens = parts_of(rows.rows[row]);
        if (is_read(i)) {
          chosen.push_back(row);
          counts[6] += tokens[0] + tokens[1];
        }
        for (std::size_t part = 0; part < tokens.size(); ++part) {
          if (tokens[part] == 0) continue;
          counts[part] += tokens[part];
          counts[2 + part] += rollout_tokens_[i][part] == 0 ? 1.0 : 0.0;
          counts[4 + part] += 1.0;
          rollout_tokens_[i][part] += tokens[part];
        }
      }
    collective.all_reduce_sum(std::span<double>(counts));
    for (const std::size_t row : chosen) append_weighted(recipe, rows, row, counts, batch);
    return counts[6];
  }

 private:
  static constexpr bool kAgentsApart = AggregatesAgentsApart<decltype(Recipe::view)>;
  using Parts = std::array<double, 2>;  // trained tokens; one part, or one of each agent

  /// Trained tokens of a row by part.
  static Parts parts_of(const StepRow& row) {
    if constexpr (kAgentsApart)
      return row.tokens;
    else
      return {row.tokens[0] + row.tokens[1], 0.0};
  }
  static constexpr std::size_t part_of(AgentRole agent) {
    return kAgentsApart ? static_cast<std::size_t>(agent) : 0;
  }

  void append_weighted(const Recipe& recipe, const StepRows& rows, std::size_t row,
                       std::span<const double> counts, PackedBatch& batch) const {
    const StepRow& from = rows.rows[row];
    const Parts tokens = parts_of(from);
    const auto weight = [&](AgentRole agent) {
      const std::size_t part = part_of(agent);
      if (tokens[part] == 0) return 0.0F;
      const TokenCounts here{counts[part], counts[2 + part], counts[4 + part],
                             rollout_tokens_[from.rollout][part], tokens[part]};
      double value = recipe.objective.aggregation.weight(here);
      if constexpr (kAgentsApart) value *= recipe.view.agent_weight(agent);
      return static_cast<float>(value);
    };
    const std::array<float, 2> weights{weight(AgentRole::answerer), weight(AgentRole::summarizer)};
    for (std::size_t t = batch.append_row_of(rows.batch, row); t < batch.size(); ++t)
      batch.loss_weight[t] *= weights[static_cast<std::size_t>(batch.agent[t])];
  }

  std::vector<Parts> rollout_tokens_;  // [rollouts] trained in this minibatch
};

}  // namespace dualagent
