#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/types.hpp"
#include "dualagent/trace/rollout.hpp"

namespace dualagent {

/// Who played a rollout, and when. With the rollout's group and member it is the rollout's key: a
/// store keeps one rollout of a key, however often it is committed.
struct RolloutSource {
  std::string run{};     ///< the training run; weight versions mean something within it only
  std::string writer{};  ///< the process that plays; no two writers of one run share a name
  std::uint64_t step = 0;

  /// Errors: Error for a run or writer without a name, and a step above 2^62.
  void validate() const;
  friend bool operator==(const RolloutSource&, const RolloutSource&) = default;
};

/// The weight versions of the two agents, which may be models that are updated at different times.
struct AgentVersions {
  WeightVersion answerer = 0;
  WeightVersion summarizer = 0;

  friend bool operator==(const AgentVersions&, const AgentVersions&) = default;
};

/// The oldest weights that sampled something, of each agent; nothing of one that sampled nothing.
struct OldestVersions {
  std::optional<WeightVersion> answerer{};
  std::optional<WeightVersion> summarizer{};

  void add(AgentRole agent, WeightVersion version);
  void add(const OldestVersions& other);
  /// Whether any agent sampled with weights below the floor.
  bool is_below(const AgentVersions& floor) const {
    return (answerer && *answerer < floor.answerer) ||
           (summarizer && *summarizer < floor.summarizer);
  }

  friend bool operator==(const OldestVersions&, const OldestVersions&) = default;
};

/// The oldest weights that a rollout's own tokens were drawn from; a fork's history is given, hence
/// not among them.
OldestVersions oldest_versions(const Rollout& rollout);

namespace detail {
/// One sentence where tasks of an evaluation are given to what trains or plays for training.
template <class Tasks>
consteval void refuse_evaluation_tasks() {
  static_assert(sizeof(Tasks) == 0,
                "dualagent: evaluation tasks are not trained on; read training tasks with "
                "read_tasks or TaskStream");
}
}  // namespace detail

/// A scored rollout that was played to be trained on, and where it comes from.
///
/// The only thing that a trajectory store takes. Its constructor is private: what plays training
/// tasks makes it (`play_training_rollouts`), and `decode_training_rollout` makes it again. What an
/// evaluation plays are `Rollout`s, which no store takes.
class TrainingRollout {
 public:
  const Rollout& rollout() const { return rollout_; }
  const RolloutSource& source() const { return source_; }
  /// Rollouts of its group, forks included: an advantage needs all of them.
  std::size_t group_size() const { return group_size_; }

 private:
  friend struct TrainingAccess;
  TrainingRollout(RolloutSource source, std::size_t group_size, Rollout rollout)
      : source_(std::move(source)), group_size_(group_size), rollout_(std::move(rollout)) {}

  RolloutSource source_;
  std::size_t group_size_;
  Rollout rollout_;
};

/// The only maker of training rollouts; for the authors of what plays them.
struct TrainingAccess {
  static constexpr std::size_t kMaxGroupSize = std::size_t{1} << 20;
  /// A step or a group, as databases store it.
  static constexpr std::uint64_t kMaxNumber = (std::uint64_t{1} << 62) - 1;

  /// `group_size` counts the rollouts of the group, of which `rollout.member` is one.
  /// Errors: Error for a run or writer without a name, a member that the group does not have, a
  /// group of more than 2^20 rollouts, and a step, group or weight version above 2^62.
  static TrainingRollout make(RolloutSource source, std::size_t group_size, Rollout rollout);
};

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/store/training_rollout.inl"
#endif
