#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "dualagent/rollout/scheduler.hpp"
#include "support/catch.hpp"
#include "support/toy_protocol.hpp"

/// Rollouts of every kind that the multi-segment laws are about.
namespace varied {

using namespace dualagent;

using Tokens = std::vector<Token>;
inline constexpr std::size_t kGroupSize = 6;
inline constexpr std::size_t kSecondModel = 1U
                                            << 20;  // first serial number of the Summarizer's model

/// Calls, answers, summaries, malformed turns and broken environments, drawn at random.
inline Tokens speak(std::span<const Token>, AgentRole agent, const RandomStream& random) {
  const Token drawn = toy::digit(static_cast<int>(random.below(0, 7)));
  if (agent == AgentRole::summarizer) return {toy::summary, drawn, toy::end};
  switch (random.below(1, 24)) {
    case 0:
      return {toy::call, toy::digit(7), toy::end};  // breaks the environment
    case 1:
      return {toy::end};  // malformed
    case 2:
      return {toy::answer, drawn, toy::end};
    default:
      return {toy::call, drawn, toy::end};
  }
}

inline std::vector<Task> some_tasks() {
  std::vector<Task> tasks;
  for (const char* prompt : {"1", "22", "3", "456", "5"})
    tasks.push_back({.id = std::string("t") + prompt, .prompt = prompt, .answer = "5"});
  return tasks;
}

inline constexpr TokenBudget kTrigger{.max_tokens = 20};
inline constexpr RolloutLimits kLimits{
    .max_context_tokens = 29, .max_turns = 14, .max_summaries = 2};

template <class Rewriter = ReplaceBySummary>
auto protocol(Rewriter rewriter = {}) {
  return Protocol{toy::Dialect{}, toy::Tools{toy::Successor<>{}}, kTrigger, rewriter, kLimits};
}

template <class Pairing, class Rewriter = ReplaceBySummary>
std::vector<Rollout> play(Pairing pairing, Rewriter rewriter = {}) {
  RolloutScheduler scheduler{pairing, protocol(rewriter)};
  return scheduler.run(some_tasks(), kGroupSize, {}, RandomStream::from_seed(11));
}

template <class Predicate>
std::size_t count(const std::vector<Rollout>& rollouts, Predicate&& predicate) {
  return static_cast<std::size_t>(std::count_if(rollouts.begin(), rollouts.end(), predicate));
}

inline auto has(RolloutStatus status) {
  return [status](const Rollout& rollout) { return rollout.status == status; };
}

/// Sampled tokens of rollouts that are not aborted.
inline std::size_t live_tokens(const std::vector<Rollout>& rollouts,
                               std::optional<AgentRole> agent = {}) {
  std::size_t tokens = 0;
  for (const Rollout& rollout : rollouts)
    if (rollout.status != RolloutStatus::aborted) tokens += count_sampled(rollout, agent);
  return tokens;
}

/// The rollouts, and two forks of each at every summary it asked for.
template <class Pairing>
std::vector<Rollout> play_with_forks(Pairing pairing) {
  std::vector<Rollout> rollouts = play(pairing);
  const std::vector<Task> tasks = some_tasks();
  std::vector<RolloutStart> starts;
  std::size_t member = kGroupSize;
  for (const Rollout& rollout : rollouts)
    for (std::size_t summary = 0; summary < rollout.summary_requests.size(); ++summary)
      for (int fork = 0; fork < 2; ++fork)
        starts.push_back({&tasks[rollout.group], rollout.group, member++, &rollout, summary});
  REQUIRE(starts.size() > 10);
  RolloutScheduler scheduler{pairing, protocol()};
  for (Rollout& fork : scheduler.run(starts, {}, RandomStream::from_seed(12)))
    rollouts.push_back(std::move(fork));
  return rollouts;
}

/// The sample must hold what the laws are about.
inline void require_rich(const std::vector<Rollout>& rollouts) {
  REQUIRE(count(rollouts, has(RolloutStatus::aborted)) > 0);
  REQUIRE(count(rollouts, has(RolloutStatus::truncated)) > 0);
  REQUIRE(count(rollouts, has(RolloutStatus::finished)) > 0);
  REQUIRE(count(rollouts, [](const Rollout& r) { return r.summaries > 1; }) > 0);
  REQUIRE(count(rollouts, [](const Rollout& r) { return r.ending == "summary limit"; }) > 0);
}

}  // namespace varied
