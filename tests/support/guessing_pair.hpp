#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "dualagent/rollout/protocol.hpp"
#include "support/bigram_model.hpp"
#include "support/toy_protocol.hpp"

/// A task that a bigram model can learn, a model that knows the format, and the protocol for both.
namespace guessing {

/// Whatever the prompt says, the answer is 5.
inline std::vector<dualagent::Task> five_tasks(std::size_t count) {
  std::vector<dualagent::Task> tasks;
  for (std::size_t i = 0; i < count; ++i)
    tasks.push_back(
        {.id = "five" + std::to_string(i), .prompt = std::to_string(i % 3), .answer = "5"});
  return tasks;
}

/// Knows the format and guesses the digit.
inline BigramModel model(BigramModel::Critic critic = BigramModel::Critic::none) {
  BigramModel model(toy::vocab, critic);
  const auto prefer = [&](dualagent::Token after, dualagent::Token next, double logit) {
    model.parameters()[static_cast<std::size_t>(after) * toy::vocab +
                       static_cast<std::size_t>(next)] = logit;
  };
  for (int d = 0; d < 10; ++d) {
    prefer(toy::digit(d), toy::answer, 4.0);
    prefer(toy::digit(d), toy::call, 4.0);
    prefer(toy::digit(d), toy::end, 6.0);
    prefer(toy::answer, toy::digit(d), 4.0);
    prefer(toy::call, toy::digit(d), 4.0);
    prefer(toy::summary, toy::digit(d), 4.0);
  }
  prefer(toy::request, toy::summary, 6.0);
  return model;
}

inline auto protocol() {
  using namespace dualagent;
  return Protocol{toy::Dialect{.max_turn_tokens = 4}, toy::Tools{toy::Successor<>{}},
                  TurnCount{.turns = 2}, ReplaceBySummary{}, RolloutLimits{.max_turns = 6}};
}

inline std::vector<double> weights(BigramModel& model) {
  return {model.parameters().begin(), model.parameters().end()};
}

}  // namespace guessing
