#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "dualagent/core/error.hpp"
#include "dualagent/store/training_rollout_codec.hpp"
#include "dualagent/store/trajectory_store.hpp"

namespace dualagent {

/// Which group of a store a rollout belongs to.
struct GroupKey {
  RolloutSource source{};
  std::uint64_t group = 0;

  friend bool operator==(const GroupKey&, const GroupKey&) = default;
  friend bool operator<(const GroupKey& a, const GroupKey& b) {
    const auto tied = [](const GroupKey& key) {
      return std::tie(key.source.run, key.source.writer, key.source.step, key.group);
    };
    return tied(a) < tied(b);
  }
};

/// What errors call a group.
inline std::string text_of(const GroupKey& key) {
  return "run " + key.source.run + ", writer " + key.source.writer + ", step " +
         std::to_string(key.source.step) + ", group " + std::to_string(key.group);
}

/// A rollout of a commit as a store keeps it.
struct EncodedRollout {
  GroupKey key{};
  std::size_t group_size = 0;
  std::size_t member = 0;
  OldestVersions oldest{};
  std::vector<std::byte> bytes{};
};

/// The rollouts of a commit as a store keeps them: what can be done before the store is locked.
inline std::vector<EncodedRollout> encode_commit(std::span<const TrainingRollout> rollouts) {
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

/// Refuses a rollout whose group was begun with another size.
inline void require_group_size(const EncodedRollout& rollout, std::size_t group_size) {
  if (rollout.group_size != group_size)
    throw Error("a rollout is of a group of " + std::to_string(rollout.group_size) +
                    ", the store has begun that group with " + std::to_string(group_size),
                text_of(rollout.key), "Give each writer a name of its own");
}

/// Whether there is no room to begin the rollout's group. Errors: Error if there never will be.
inline bool is_full_for(const EncodedRollout& rollout, const StoreLimits& limits,
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
