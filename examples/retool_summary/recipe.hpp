#pragma once

#include <cstddef>

#include "dualagent/objective/objective.hpp"
#include "dualagent/summary/view.hpp"
#include "dualagent/train/recipe.hpp"
#include "options.hpp"

namespace retool_summary {

/// The mean over tokens (DAPO) or rollouts (GRPO, the reference system), chosen while the program
/// runs: one trainer is compiled, not one for each choice.
struct ChosenMean {
  Mean mean = Mean::tokens;
  constexpr double weight(const dualagent::TokenCounts& counts) const {
    return mean == Mean::tokens ? dualagent::GlobalTokenMean{}.weight(counts)
                                : dualagent::RolloutMean{}.weight(counts);
  }
};

/// A training view that is chosen while the program runs; `trained_agents` bounds the choice.
template <dualagent::TrainedAgents trained_agents = dualagent::TrainedAgents::both>
struct ChosenView {
  static constexpr dualagent::TrainedAgents agents = trained_agents;
  Trained trained = Trained::all;

  bool trains(const dualagent::Rollout& rollout, std::size_t segment,
              const dualagent::Span& span) const {
    using namespace dualagent;
    switch (trained) {
      case Trained::all:
        return true;
      case Trained::answerer:
        return AnswererOnly{}.trains(rollout, segment, span);
      case Trained::final_segment:
        return FinalSegment{}.trains(rollout, segment, span);
      case Trained::final_and_summaries:
        return (FinalSegment{} | SummarizerOnly{}).trains(rollout, segment, span);
    }
    return false;
  }
};

/// Groups normalized by mean and standard deviation, clip 0.2 / 0.28, no KL: the reference system's
/// objective, and DAPO's.
template <dualagent::TrainedAgents agents>
using ChosenRecipe = dualagent::Recipe<
    dualagent::Objective<dualagent::GroupNormalized, dualagent::ClipLoss, ChosenMean>,
    ChosenView<agents>>;

template <dualagent::TrainedAgents agents>
ChosenRecipe<agents> make_recipe(const Options& options) {
  ChosenRecipe<agents> recipe;
  recipe.objective.loss = {.clip_low = 0.2, .clip_high = 0.28};
  recipe.objective.aggregation.mean = options.mean;
  recipe.view.trained = options.trained;
  return recipe;
}

}  // namespace retool_summary
