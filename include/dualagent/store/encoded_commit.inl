#pragma once

/// Definitions of encoded_commit.hpp; see core/compiled.hpp.

#include "dualagent/store/encoded_commit.hpp"

namespace dualagent {

DUALAGENT_INLINE std::string text_of(const GroupKey& key) {
  return "run " + key.source.run + ", writer " + key.source.writer + ", step " +
         std::to_string(key.source.step) + ", group " + std::to_string(key.group);
}

DUALAGENT_INLINE std::vector<EncodedRollout> encode_commit(
    std::span<const TrainingRollout> rollouts) {
  std::vector<EncodedRollout> encoded;
  encoded.reserve(rollouts.size());
  for (const TrainingRollout& training : rollouts)
    encoded.push_back({.key = {training.source(), training.rollout().group},
                       .group_size = training.group_size(),
                       .member = training.rollout().member,
                       .oldest = oldest_versions(training.rollout()),
                       .bytes = encode_training_rollout(training)});
  return encoded;
}

DUALAGENT_INLINE void require_group_size(const EncodedRollout& rollout, std::size_t group_size) {
  if (rollout.group_size != group_size)
    throw Error("a rollout is of a group of " + std::to_string(rollout.group_size) +
                    ", the store has begun that group with " + std::to_string(group_size),
                text_of(rollout.key), "Give each writer a name of its own");
}

DUALAGENT_INLINE bool is_full_for(const EncodedRollout& rollout, const StoreLimits& limits,
                                  std::size_t rollouts, std::size_t bytes, bool was_empty) {
  const bool fits = rollouts + rollout.group_size <= limits.max_rollouts &&
                    bytes + rollout.bytes.size() <= limits.max_bytes;
  if (!fits && was_empty)
    throw Error("a commit does not fit into the empty store, which takes " +
                    std::to_string(limits.max_rollouts) + " rollouts and " +
                    std::to_string(limits.max_bytes) + " bytes",
                text_of(rollout.key), "Commit fewer groups at once, or raise StoreLimits");
  return !fits;
}

}  // namespace dualagent
