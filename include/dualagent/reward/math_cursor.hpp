#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "dualagent/core/compiled.hpp"
#include "dualagent/reward/math_tokens.hpp"

namespace dualagent::detail {

/// A place in a sequence of tokens, from which a parser reads; behind the end stand tokens without
/// text.
class MathCursor {
 public:
  explicit MathCursor(std::span<const MathToken> tokens) : tokens_(tokens) {}

  const MathToken& here(std::size_t ahead = 0) const {
    static constexpr MathToken kEnd{};
    ++looks_;
    return at_ + ahead < tokens_.size() ? tokens_[at_ + ahead] : kEnd;
  }
  bool is(std::string_view text) const { return here().text == text; }
  bool is_digit(std::size_t ahead = 0) const { return here(ahead).kind == MathTokenKind::digit; }
  bool is_word(std::size_t ahead = 0) const { return here(ahead).kind == MathTokenKind::word; }
  bool opens() const { return here().kind == MathTokenKind::open; }
  bool closes(std::size_t ahead = 0) const { return here(ahead).kind == MathTokenKind::close; }
  bool take(std::string_view text) {
    if (!is(text)) return false;
    ++at_;
    return true;
  }

  /// The value of the digit here, which is passed over.
  std::int64_t take_digit() { return tokens_[at_++].text[0] - '0'; }

  /// Number of digits that stand together here.
  std::size_t count_digits() const {
    std::size_t count = 0;
    while (is_digit(count) && (count == 0 || !here(count).spaced)) ++count;
    return count;
  }
  /// The digits that stand together here, which are passed over, as a number; nothing without any
  /// or for more than 17.
  std::optional<std::int64_t> whole_number();
  /// {12}, or one digit.
  std::optional<std::int64_t> whole_argument();

  /// How often a token was looked at: the work done.
  std::size_t looks() const { return looks_; }

 protected:
  std::span<const MathToken> tokens_;
  std::size_t at_ = 0;

 private:
  mutable std::size_t looks_ = 0;
};

}  // namespace dualagent::detail

#ifndef DUALAGENT_COMPILED
#include "dualagent/reward/math_cursor.inl"
#endif
