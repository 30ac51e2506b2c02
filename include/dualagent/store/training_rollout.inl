#pragma once

/// Definitions of training_rollout.hpp; see core/compiled.hpp.

#include "dualagent/store/training_rollout.hpp"

namespace dualagent {

DUALAGENT_INLINE void RolloutSource::validate() const {
  if (run.empty() || writer.empty())
    throw Error("a training rollout has no run or no writer", "RolloutSource",
                "Set RolloutSource::run and RolloutSource::writer");
  if (step > TrainingAccess::kMaxNumber)
    throw Error("a step is above 2^62", "RolloutSource", "Number steps from 0");
}

DUALAGENT_INLINE void OldestVersions::add(AgentRole agent, WeightVersion version) {
  std::optional<WeightVersion>& oldest = agent == AgentRole::answerer ? answerer : summarizer;
  oldest = oldest ? std::min(*oldest, version) : version;
}

DUALAGENT_INLINE void OldestVersions::add(const OldestVersions& other) {
  if (other.answerer) add(AgentRole::answerer, *other.answerer);
  if (other.summarizer) add(AgentRole::summarizer, *other.summarizer);
}

DUALAGENT_INLINE OldestVersions oldest_versions(const Rollout& rollout) {
  OldestVersions oldest;
  for (const Segment& segment : rollout.segments)
    for (const Span& span : segment.context.spans())
      if (span.is_sampled())
        for (const WeightVersion version : segment.context.weight_versions(span))
          oldest.add(span.agent, version);
  return oldest;
}

DUALAGENT_INLINE TrainingRollout TrainingAccess::make(RolloutSource source, std::size_t group_size,
                                                      Rollout rollout) {
  const auto refuse = [&](const std::string& problem, const std::string& remedy) {
    throw Error(
        problem,
        "group " + std::to_string(rollout.group) + ", member " + std::to_string(rollout.member),
        remedy);
  };
  source.validate();
  if (group_size > kMaxGroupSize || rollout.member >= group_size)
    refuse("there is no such member in a group of " + std::to_string(group_size),
           "Number the rollouts of a group from 0, forks last; at most " +
               std::to_string(kMaxGroupSize));
  const OldestVersions oldest = oldest_versions(rollout);
  if (std::max({std::uint64_t{rollout.group}, oldest.answerer.value_or(0),
                oldest.summarizer.value_or(0)}) > kMaxNumber)
    refuse("a group or a weight version is above 2^62", "Number them from 0");
  return TrainingRollout(std::move(source), group_size, std::move(rollout));
}

}  // namespace dualagent
