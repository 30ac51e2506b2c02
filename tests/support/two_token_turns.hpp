#pragma once

#include <atomic>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dualagent/reward/reward.hpp"
#include "dualagent/rollout/protocol.hpp"
#include "support/toy_protocol.hpp"

/// Episodes that a model of random weights plays: whatever it says in two tokens is a turn.
namespace two_tokens {

using namespace dualagent;

/// Turns of two tokens; one whose first token is a multiple of 3 calls the tool.
struct Dialect : toy::Dialect {
  static StopRule two_tokens() {
    return {{}, 3, [](std::span<const Token> said) { return said.size() == 2; }};
  }
  StopRule turn_stop() const { return two_tokens(); }
  StopRule summary_stop() const { return two_tokens(); }
  Turn parse_turn(std::span<const Token> t) const {
    if (t[0] % 3 != 0) return Answer{std::to_string(t[1])};
    return std::vector<ToolCall>{{"successor", "{\"x\":" + std::to_string(t[1] % 6) + "}"}};
  }
  std::optional<std::string> check_summary(std::span<const Token>) const { return {}; }
};
static_assert(ToolDialect<Dialect>);

/// On a worker thread; counts its calls. x = 5 is refused where `refuses`.
struct Counted : toy::Successor<Execution::worker> {
  std::atomic<int>* calls = nullptr;
  bool refuses = false;
  std::string operator()(const Arguments& arguments, const CallInfo& info) const {
    ++*calls;
    if (refuses && arguments.x == 5) throw AbortRollout("no page 5");
    return toy::Successor<Execution::worker>::operator()(arguments, info);
  }
};

/// Differs among the rollouts of a task; says how often it was asked.
struct LastToken {
  std::atomic<int>* asked = nullptr;
  bool fails = false;
  std::optional<double> score(const Task&, const Rollout& rollout) const {
    if (asked != nullptr) ++*asked;
    if (fails) throw Error("the judge is gone", "the test");
    return rollout.answer ? std::stod(*rollout.answer) / 28 : 0.0;
  }
};

/// Windows of 60 tokens in which after two turns a summary is due.
inline auto protocol(std::atomic<int>& calls) {
  return Protocol{Dialect{}, ToolBox{Counted{{}, &calls, true}}, TurnCount{.turns = 2},
                  ReplaceBySummary{}, RolloutLimits{.max_context_tokens = 60, .max_turns = 5}};
}

inline std::vector<Task> tasks(std::size_t count) {
  std::vector<Task> made;
  for (std::size_t i = 0; i < count; ++i)
    made.push_back({.id = std::to_string(i), .prompt = std::to_string(i % 10), .answer = "5"});
  return made;
}

}  // namespace two_tokens
