#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "dualagent/store/training_rollout.hpp"
#include "dualagent/trace/span.hpp"

/// Training rollouts as a store's tests need them: small, each different from all others.
namespace training {

using namespace dualagent;

struct Wanted {
  std::string run = "run";
  std::string writer = "writer";
  std::uint64_t step = 0;
  std::size_t group = 0;
  std::size_t size = 2;
  AgentVersions versions{};
  std::size_t tokens = 3;  ///< sampled by the Answerer; the Summarizer samples one
};

inline TrainingRollout rollout(const Wanted& wanted, std::size_t member) {
  Rollout made;
  made.task_id = "task " + std::to_string(wanted.step) + "/" + std::to_string(wanted.group);
  made.group = wanted.group;
  made.member = member;
  made.reward = static_cast<double>(wanted.step * 100 + wanted.group * 10 + member);
  Context context;
  context.append(Provenance::prompt, std::vector<Token>{1, 2});
  std::vector<Token> tokens(wanted.tokens);
  for (std::size_t i = 0; i < tokens.size(); ++i)
    tokens[i] = static_cast<Token>((wanted.step * 31 + wanted.group * 7 + member + i) % 1000);
  std::vector<float> log_probs(wanted.tokens, -0.5F);
  context.append(BackendAccess::sampled(AgentRole::answerer, wanted.versions.answerer,
                                        std::move(tokens), std::move(log_probs)));
  context.append(
      BackendAccess::sampled(AgentRole::summarizer, wanted.versions.summarizer, {5}, {-0.25F}));
  made.segments.push_back({.context = std::move(context)});
  return TrainingAccess::make({wanted.run, wanted.writer, wanted.step}, wanted.size,
                              std::move(made));
}

inline std::vector<TrainingRollout> group(const Wanted& wanted) {
  std::vector<TrainingRollout> rollouts;
  for (std::size_t member = 0; member < wanted.size; ++member)
    rollouts.push_back(rollout(wanted, member));
  return rollouts;
}

}  // namespace training
