#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "dualagent/core/types.hpp"

namespace dualagent {

/// How a generation may begin: at each of the first positions stands one of the tokens listed for
/// it.
struct TokenPattern {
  std::vector<std::vector<Token>> positions{};  ///< [positions] tokens that may stand there
  bool open_ended = false;                      ///< whether anything may follow the last position

  /// Whether the tokens so far are as the pattern says.
  bool allows(std::span<const Token> generated) const {
    if (!open_ended && generated.size() > positions.size()) return false;
    for (std::size_t i = 0; i < generated.size() && i < positions.size(); ++i)
      if (std::find(positions[i].begin(), positions[i].end(), generated[i]) == positions[i].end())
        return false;
    return true;
  }

  friend bool operator==(const TokenPattern&, const TokenPattern&) = default;
};

/// What ends a generation early: after each new token it sees the tokens of the generation, and
/// ends it by being true. By default: never.
///
/// It has two parts, of which either may be empty.
/// 1. Data, which a model in another process can obey. `patterns`: the generation ends with the
///    first token after which none of them allows it. `strings`: marks in the generation's text.
/// 2. A check, which only this process can call: a function, or a member function and the object it
///    belongs to, so that it can look into a tokenizer; neither allocates. Pure, and safe from
///    several threads at once. Where there are `strings`, it is never true before the text holds
///    one of them: a model elsewhere goes on until then, and has the check asked after that token
///    and every later one. Without strings it may be true after any token: `to_json` refuses
///    such a rule.
///
/// Wherever it runs, the generation ends at the same token.
/// Examples: `[](std::span<const Token> said) { return said.size() == 4; }`;
/// `EarlyStop::of<&MyDialect::turn_has_ended>(dialect, {"</tool_call>"})`, whose dialect must
/// outlive the generation; `EarlyStop::unless({{.positions = {{yes, no}}}})`.
class EarlyStop {
 public:
  using Test = bool (*)(std::span<const Token> generated);

  EarlyStop(std::nullptr_t = nullptr) {}
  template <std::convertible_to<Test> F>
  EarlyStop(const F& test) : plain_(test) {}

  template <auto test, class Object>
  static EarlyStop of(const Object& object, std::vector<std::string> strings = {}) {
    EarlyStop stop;
    stop.object_ = &object;
    stop.member_ = [](const void* self, std::span<const Token> generated) -> bool {
      return (static_cast<const Object*>(self)->*test)(generated);
    };
    stop.strings_ = std::move(strings);
    return stop;
  }

  template <auto test, class Object>
  static EarlyStop of(const Object&&, std::vector<std::string> = {}) {
    static_assert(
        sizeof(Object) == 0,
        "dualagent: EarlyStop::of keeps a reference to its object, which must outlive the "
        "generation: give it a name; see docs/policies.md#dialects");
    return {};
  }

  /// Data only: ends what none of the patterns allows.
  static EarlyStop unless(std::vector<TokenPattern> patterns) { return {std::move(patterns), {}}; }

  /// The data of a stop whose check, if it has one, is in another process.
  EarlyStop(std::vector<TokenPattern> patterns, std::vector<std::string> strings)
      : patterns_(std::move(patterns)), strings_(std::move(strings)) {}

  const std::vector<TokenPattern>& patterns() const { return patterns_; }
  const std::vector<std::string>& strings() const { return strings_; }
  bool has_check() const { return plain_ != nullptr || member_ != nullptr; }

  /// Whether it can end a generation here.
  explicit operator bool() const { return has_check() || !patterns_.empty(); }
  /// Whether the generation ends here, as far as this process can tell.
  bool operator()(std::span<const Token> generated) const {
    const auto allows = [&](const TokenPattern& pattern) { return pattern.allows(generated); };
    if (!patterns_.empty() && std::none_of(patterns_.begin(), patterns_.end(), allows)) return true;
    if (plain_ != nullptr) return plain_(generated);
    return member_ != nullptr && member_(object_, generated);
  }

 private:
  std::vector<TokenPattern> patterns_;
  std::vector<std::string> strings_;
  Test plain_ = nullptr;
  const void* object_ = nullptr;
  bool (*member_)(const void* object, std::span<const Token> generated) = nullptr;
};

/// When a generation ends, besides the limit of the model's context.
///
/// `stop_tokens` end it and are part of the result. `stop_early` ends it where nothing that follows
/// would be of use: a grammar that is already broken need not be sampled to its end, nor anything
/// after a tool call that has closed.
struct StopRule {
  std::vector<Token> stop_tokens{};
  std::size_t max_new_tokens = 1;  ///< >= 1
  EarlyStop stop_early = {};
};

}  // namespace dualagent
