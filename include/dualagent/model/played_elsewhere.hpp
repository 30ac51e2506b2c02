#pragma once

#include <cstddef>
#include <limits>

#include "dualagent/core/error.hpp"
#include "dualagent/model/backend.hpp"

namespace dualagent {

/// The sampler of an agent that this process never plays: that of the other one's learner, where a
/// pair is trained in two jobs and workers play for both.
///
/// Errors: `submit` throws Error.
/// Example: PlayedElsewhere answerer;
///          Trainer trainer{SeparateWeights{Frozen{answerer}, summarizer}, ...};
struct PlayedElsewhere {
  [[noreturn]] void submit(const GenerationRequest&) {
    throw Error("this agent is played by others", "PlayedElsewhere",
                "Train on rollouts that a RolloutWorker plays, and evaluate where both agents are");
  }
  template <class OnFinished>
  std::size_t advance(OnFinished&&) {
    return 0;
  }
  void release(SequenceId) {}
  void reset() {}
  std::size_t vocab_size() const { return 0; }
  std::size_t max_context_tokens() const { return std::numeric_limits<std::size_t>::max(); }
  WeightVersion weight_version() const { return 0; }
};
static_assert(Sampler<PlayedElsewhere>);

}  // namespace dualagent
