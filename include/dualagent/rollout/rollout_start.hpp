#pragma once

#include <cstddef>

#include "dualagent/data/task.hpp"
#include "dualagent/model/backend.hpp"
#include "dualagent/trace/rollout.hpp"

namespace dualagent {

/// How the two agents sample.
struct RolloutSampling {
  SamplingOptions answerer{};
  SamplingOptions summarizer{};

  const SamplingOptions& of(AgentRole agent) const {
    return agent == AgentRole::answerer ? answerer : summarizer;
  }

  void validate() const {
    answerer.validate("RolloutSampling", "answerer.");
    summarizer.validate("RolloutSampling", "summarizer.");
  }
};

/// Which rollout to play: one that begins with its task, or a fork of another one. `task` and
/// `source` must stay until the rollout has ended.
struct RolloutStart {
  const Task* task = nullptr;
  std::size_t group = 0;
  std::size_t member = 0;
  const Rollout* source = nullptr;  ///< of a fork: whose history
  std::size_t summary = 0;          ///< of a fork: from which of the source's summary requests on
};

}  // namespace dualagent
