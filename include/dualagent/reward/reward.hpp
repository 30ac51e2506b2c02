#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dualagent/core/check.hpp"
#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/data/task.hpp"
#include "dualagent/trace/rollout.hpp"

namespace dualagent {

/// One rollout to be scored, and its task; neither is owned.
struct ScoreRequest {
  const Task* task = nullptr;
  const Rollout* rollout = nullptr;
};

/// Scores one rollout.
///
/// Syntactic requirement on a constant r: `r.score(task, rollout)` returns std::optional<double>.
/// Nothing means that the reward abstains (a judge that could not be reached): the rollout is then
/// aborted and leaves its group's statistics; no score is invented.
/// Optional: `r.score_all(requests, scores)` writes what `score` would say of each request; for a
/// reward that takes long over one rollout and can look at several at once, such as a Judge.
/// Optional: `void validate() const` throws Error for values that cannot be meant.
/// Semantic requirements: depends on task and rollout only; may be called from one thread; sees the
/// whole logical rollout. Of a fork that includes the history that it was given: count_generated
/// and sampled_summaries do, `Span::is_sampled` does not (`Span::is_generated` does).
template <class R>
concept Reward = requires(const R& reward, const Task& task, const Rollout& rollout) {
  { reward.score(task, rollout) } -> std::same_as<std::optional<double>>;
};

/// A Reward that looks at many rollouts at once.
template <class R>
concept ScoresTogether = requires(const R& reward, std::span<const ScoreRequest> requests,
                                  std::span<std::optional<double>> scores) {
  reward.score_all(requests, scores);
};

/// One readable sentence if R is not a Reward.
template <class R>
consteval bool check_reward() {
  static_assert(Reward<R>,
                "dualagent: a Reward needs 'std::optional<double> score(const Task&, const "
                "Rollout&) const'; see docs/policies.md#rewards");
  static_assert(
      !requires { &R::score_all; } || ScoresTogether<R>,
      "dualagent: a Reward's score_all must be 'void score_all(std::span<const "
      "ScoreRequest>, std::span<std::optional<double>>) const'; see "
      "docs/rewards.md#many-rollouts-at-once");
  return true;
}

namespace detail {
std::string place_of(const ScoreRequest& request);

/// Refuses the two scores of a reward that says right or wrong.
void require_scores(double success, double failure, const char* owner);
}  // namespace detail

/// Scores all requests: together where the reward can, else one after another.
///
/// scores: [requests]. A reward made of others passes its requests on with this, so that a slow one
/// among them is still asked about all at once. Errors: what the reward throws.
template <Reward R>
void score_all(const R& reward, std::span<const ScoreRequest> requests,
               std::span<std::optional<double>> scores) {
  if constexpr (ScoresTogether<R>) {
    call_user_code(
        "a reward's score_all",
        [&] { return "a batch of " + std::to_string(requests.size()) + " rollouts"; },
        [&] { reward.score_all(requests, scores); });
  } else {
    for (std::size_t i = 0; i < requests.size(); ++i)
      scores[i] = call_user_code(
          "a reward", [&] { return detail::place_of(requests[i]); },
          [&] { return reward.score(*requests[i].task, *requests[i].rollout); });
  }
}

namespace detail {

void write_reward(const Task& task, std::optional<double> score, Rollout& rollout);

}  // namespace detail

/// Writes the rollouts' rewards; a rollout whose reward abstains becomes aborted, one that is
/// aborted already is not scored. `task_of(rollout)` returns the rollout's task.
///
/// Errors: throws on a reward that is not finite, naming task and rollout; what the reward throws,
/// as an Error that says so if it is something else.
template <Reward R, class TaskOf>
void score_rollouts(const R& reward, std::span<Rollout> rollouts, const TaskOf& task_of) {
  std::vector<ScoreRequest> requests;
  std::vector<Rollout*> scored;
  for (Rollout& rollout : rollouts) {
    if (rollout.status == RolloutStatus::aborted) continue;
    const Task& task = task_of(static_cast<const Rollout&>(rollout));
    requests.push_back({&task, &rollout});
    scored.push_back(&rollout);
  }
  std::vector<std::optional<double>> scores(requests.size());
  score_all(reward, std::span<const ScoreRequest>(requests), std::span(scores));
  for (std::size_t i = 0; i < scored.size(); ++i)
    detail::write_reward(*requests[i].task, scores[i], *scored[i]);
}

/// reward + bonus, where a bonus cannot make up for a wrong answer: a reward of 0 or less counts as
/// wrong and is never lifted above 0.
double add_bonus(double reward, double bonus);

/// `success` if the rollout's answer equals the task's to the letter, else `failure`.
struct ExactMatch {
  double success = 1.0;
  double failure = 0.0;
  void validate() const { detail::require_scores(success, failure, "ExactMatch"); }
  std::optional<double> score(const Task& task, const Rollout& rollout) const {
    return rollout.answer && *rollout.answer == task.answer ? success : failure;
  }
};

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/reward/reward.inl"
#endif
