#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dualagent/core/user_code.hpp"
#include "dualagent/text/dialect.hpp"
#include "dualagent/trace/context.hpp"
#include "dualagent/trace/rollout.hpp"

namespace dualagent {

/// Where a policy of an episode failed. Example: "task 'pages-17', rollout 3".
inline std::string place_of(const Rollout& rollout) {
  return "task '" + rollout.task_id + "', rollout " + std::to_string(rollout.member);
}

/// A dialect as one episode asks it: in the longer form of a member where the dialect has one, and
/// with a name and a place for whatever it throws.
///
/// `dialect` and `rollout` must outlive it.
template <class Dialect>
class EpisodeDialect {
 public:
  EpisodeDialect(const Dialect& dialect, const Rollout& rollout)
      : dialect_(dialect), rollout_(rollout) {}

  std::vector<Token> prompt(const Task& task) const {
    return ask("a dialect's prompt", [&] { return dialect_.prompt(task); });
  }
  StopRule turn_stop() const {
    return ask("a dialect's turn_stop", [&] { return dialect_.turn_stop(); });
  }
  StopRule summary_stop() const {
    return ask("a dialect's summary_stop", [&] { return dialect_.summary_stop(); });
  }
  std::vector<Token> turn_opening(const Context& context) const {
    if constexpr (requires { dialect_.turn_opening(context); })
      return ask("a dialect's turn_opening", [&] { return dialect_.turn_opening(context); });
    else
      return {};
  }
  Turn parse_turn(std::span<const Token> tokens) const {
    return ask("a dialect's parse_turn", [&]() -> Turn {
      if constexpr (requires { dialect_.parse_turn(tokens, rollout_); })
        return dialect_.parse_turn(tokens, rollout_);
      else
        return dialect_.parse_turn(tokens);
    });
  }
  std::vector<Token> observation(std::span<const std::string> results,
                                 std::span<const Token> turn) const {
    return ask("a dialect's observation", [&]() -> std::vector<Token> {
      if constexpr (requires { dialect_.observation(results, turn); })
        return dialect_.observation(results, turn);
      else
        return dialect_.observation(results);
    });
  }
  std::optional<std::vector<Token>> correction(const MalformedTurn& malformed,
                                               std::span<const Token> turn) const {
    return ask("a dialect's correction", [&]() -> std::optional<std::vector<Token>> {
      if constexpr (requires { dialect_.correction(malformed, turn); })
        return dialect_.correction(malformed, turn);
      else
        return dialect_.correction(malformed);
    });
  }
  std::vector<Token> summary_request() const {
    return ask("a dialect's summary_request", [&] { return dialect_.summary_request(); });
  }
  std::optional<std::string> check_summary(std::span<const Token> tokens) const {
    return ask("a dialect's check_summary", [&] { return dialect_.check_summary(tokens); });
  }
  std::vector<Token> present_summary(std::span<const Token> tokens) const {
    return ask("a dialect's present_summary", [&] { return dialect_.present_summary(tokens); });
  }

 private:
  template <class Call>
  auto ask(const char* name, Call&& call) const {
    return call_user_code(
        name, [&] { return place_of(rollout_); }, call);
  }

  const Dialect& dialect_;
  const Rollout& rollout_;
};

}  // namespace dualagent
