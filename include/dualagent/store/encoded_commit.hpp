#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "dualagent/core/compiled.hpp"
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
std::string text_of(const GroupKey& key);

/// A rollout of a commit as a store keeps it.
struct EncodedRollout {
  GroupKey key{};
  std::size_t group_size = 0;
  std::size_t member = 0;
  OldestVersions oldest{};
  std::vector<std::byte> bytes{};
};

/// The rollouts of a commit as a store keeps them: what can be done before the store is locked.
std::vector<EncodedRollout> encode_commit(std::span<const TrainingRollout> rollouts);

/// Refuses a rollout whose group was begun with another size.
void require_group_size(const EncodedRollout& rollout, std::size_t group_size);

/// Whether there is no room to begin the rollout's group. Errors: Error if there never will be.
bool is_full_for(const EncodedRollout& rollout, const StoreLimits& limits, std::size_t rollouts,
                 std::size_t bytes, bool was_empty);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/store/encoded_commit.inl"
#endif
