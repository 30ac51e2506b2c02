#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "dualagent/rollout/protocol.hpp"
#include "dualagent/tools/read_argument.hpp"
#include "dualagent/tools/tool_box.hpp"

/// A language of 20 tokens for tests: digits are tokens 10 to 19, a call is [call, digit, end], an
/// answer [answer, digit, end], a summary [summary, digit..., end].
namespace toy {

namespace da = dualagent;

enum : da::Token { bos, call, answer, observation, request, summary, end, sorry, vocab = 20 };
constexpr da::Token digit(int value) { return static_cast<da::Token>(10 + value); }

struct Dialect {
  bool corrects = false;
  std::size_t max_turn_tokens = 8;

  std::vector<da::Token> prompt(const da::Task& task) const {
    std::vector<da::Token> tokens{bos};
    for (const char c : task.prompt) tokens.push_back(digit(c - '0'));
    return tokens;
  }
  da::StopRule turn_stop() const { return {{end}, max_turn_tokens, nullptr}; }
  da::StopRule summary_stop() const { return {{end}, 6, nullptr}; }
  da::Turn parse_turn(std::span<const da::Token> t) const {
    if (t.size() != 3 || t[1] < digit(0)) return da::MalformedTurn{"expected three tokens"};
    const std::string value = std::to_string(t[1] - digit(0));
    if (t[0] == call) return std::vector<da::ToolCall>{{"successor", "{\"x\":" + value + "}"}};
    if (t[0] == answer) return da::Answer{value};
    return da::MalformedTurn{"neither call nor answer"};
  }
  std::vector<da::Token> observation(std::span<const std::string> results) const {
    std::vector<da::Token> tokens{toy::observation};
    for (const std::string& result : results)
      tokens.push_back(result.size() == 1 ? digit(result[0] - '0') : sorry);
    return tokens;
  }
  std::optional<std::vector<da::Token>> correction(const da::MalformedTurn&) const {
    if (!corrects) return std::nullopt;
    return std::vector<da::Token>{sorry};
  }
  std::vector<da::Token> summary_request() const { return {request}; }
  std::optional<std::string> check_summary(std::span<const da::Token> t) const {
    if (t.front() != summary) return "does not begin with <summary>";
    return std::nullopt;
  }
  std::vector<da::Token> present_summary(std::span<const da::Token> t) const {
    return {t.begin(), t.end()};
  }
};
static_assert(da::ToolDialect<Dialect>);

/// x -> x + 1 (mod 10). 7 breaks the environment, 8 makes the tool throw.
template <da::Execution where = da::Execution::immediate>
struct Successor {
  static constexpr std::string_view name = "successor";
  static constexpr da::Execution execution = where;
  struct Arguments {
    int x = 0;
  };
  friend void from_json(const nlohmann::json& json, Arguments& arguments) {
    da::read_argument(json, "x", arguments.x);
  }
  std::string operator()(const Arguments& arguments, const da::CallInfo&) const {
    if (arguments.x == 7) throw da::AbortRollout("the ledger server is gone");
    if (arguments.x == 8) throw std::runtime_error("no page 8");
    return std::to_string((arguments.x + 1) % 10);
  }
};

using Tools = da::ToolBox<Successor<>>;

}  // namespace toy
