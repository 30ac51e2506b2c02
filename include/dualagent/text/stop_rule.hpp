#pragma once

#include <concepts>
#include <cstddef>
#include <span>
#include <vector>

#include "dualagent/core/types.hpp"

namespace dualagent {

/// A test that ends a generation early: it sees the tokens of the generation after each new one and
/// ends it by returning true. Empty: never.
///
/// It is made of a function, or of a member function and the object it belongs to, so that a test
/// can look into a tokenizer; neither allocates. Pure, and safe from several threads at once.
/// Examples: `[](std::span<const Token> said) { return said.size() == 4; }`;
/// `EarlyStop::of<&MyDialect::turn_has_ended>(dialect)`, whose dialect must outlive the generation.
class EarlyStop {
 public:
  using Test = bool (*)(std::span<const Token> generated);

  constexpr EarlyStop(std::nullptr_t = nullptr) {}
  template <std::convertible_to<Test> F>
  constexpr EarlyStop(const F& test) : plain_(test) {}

  template <auto test, class Object>
  static constexpr EarlyStop of(const Object& object) {
    EarlyStop stop;
    stop.object_ = &object;
    stop.member_ = [](const void* self, std::span<const Token> generated) -> bool {
      return (static_cast<const Object*>(self)->*test)(generated);
    };
    return stop;
  }

  constexpr explicit operator bool() const { return plain_ != nullptr || member_ != nullptr; }
  /// Whether the generation ends here; needs a test.
  constexpr bool operator()(std::span<const Token> generated) const {
    return plain_ != nullptr ? plain_(generated) : member_(object_, generated);
  }

 private:
  Test plain_ = nullptr;
  const void* object_ = nullptr;
  bool (*member_)(const void* object, std::span<const Token> generated) = nullptr;
};

/// When a generation ends, besides the limit of the model's context.
///
/// `stop_tokens` end it and are part of the result. `stop_early`, where set, sees the tokens of
/// this generation after each one and ends it by returning true: a grammar that is already broken
/// need not be sampled to its end, nor anything after a tool call that has closed.
struct StopRule {
  std::vector<Token> stop_tokens{};
  std::size_t max_new_tokens = 1;  ///< >= 1
  EarlyStop stop_early = {};
};

}  // namespace dualagent
