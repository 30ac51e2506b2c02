#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "dualagent/core/crc64.hpp"
#include "dualagent/store/training_rollout_codec.hpp"
#include "support/training_rollouts.hpp"

/// What the crash campaign's writers commit, and how its readers' effects are judged.
namespace campaign {

using dualagent::TrainingRollout;

/// A group, as a reader notes that it has used it.
struct Effect {
  std::string writer{};
  std::uint64_t number = 0;  ///< of the writer's groups
  std::uint64_t lease = 0;
  std::uint64_t crc = 0;  ///< of all bytes of its rollouts
};

inline constexpr std::uint64_t kGroupsOfAStep = 4;

/// The n-th group of a writer: the same bytes whenever it is played.
inline std::vector<TrainingRollout> group(const std::string& writer, std::uint64_t number) {
  return training::group({.writer = writer,
                          .step = number / kGroupsOfAStep,
                          .group = static_cast<std::size_t>(number % kGroupsOfAStep),
                          .size = 2 + static_cast<std::size_t>(number % 3),
                          .tokens = 20});
}

inline std::uint64_t crc_of(std::span<const TrainingRollout> rollouts) {
  dualagent::Crc64 crc;
  for (const TrainingRollout& one : rollouts) crc.update(dualagent::encode_training_rollout(one));
  return crc.value();
}

inline Effect effect_of(const dualagent::ClaimedGroup& claimed) {
  const TrainingRollout& first = claimed.rollouts.at(0);
  return {first.source().writer, first.source().step * kGroupsOfAStep + first.rollout().group,
          claimed.lease.number, crc_of(claimed.rollouts)};
}

struct Verdict {
  std::size_t groups = 0;
  std::size_t lost = 0;
  std::size_t doubled = 0;
  std::size_t changed = 0;  ///< not the bytes that were committed

  bool is_clean() const { return groups > 0 && lost == 0 && doubled == 0 && changed == 0; }
};

/// Each of the writers' first `groups` groups must have had one effect, and nothing else any.
inline Verdict judge(const std::map<std::string, std::uint64_t>& groups,
                     std::span<const Effect> effects) {
  Verdict verdict;
  std::map<std::tuple<std::string, std::uint64_t>, std::size_t> seen;
  for (const Effect& effect : effects) {
    verdict.doubled += ++seen[{effect.writer, effect.number}] > 1 ? 1 : 0;
    verdict.changed += effect.crc != crc_of(group(effect.writer, effect.number)) ? 1 : 0;
  }
  for (const auto& [writer, count] : groups) {
    verdict.groups += count;
    for (std::uint64_t number = 0; number < count; ++number)
      verdict.lost += seen.count({writer, number}) == 0 ? 1 : 0;
  }
  return verdict;
}

}  // namespace campaign
