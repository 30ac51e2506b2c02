#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "dualagent/core/compiled.hpp"
#include "dualagent/reward/math_expression.hpp"
#include "dualagent/reward/math_number.hpp"
#include "dualagent/reward/math_tokens.hpp"

namespace dualagent::detail {

using MathTokens = std::span<const MathToken>;

/// A number, or values in brackets: a tuple, an interval, a set, a matrix of rows, a list.
struct MathValue {
  char open = 0;  ///< '(', '[', '{', 'M' of a matrix and its rows, or 0 for a number or a bare list
  char close = 0;
  std::optional<MathNumber> number;
  std::vector<MathValue> items;
};

/// Most parts of a list, a chain of relations or nested brackets that are read: comparing parts in
/// any order is quadratic.
inline constexpr std::size_t kMaxMathParts = 64;

/// How a token changes the depth of brackets.
int math_depth_change(const MathToken& token);

/// The pieces between the tokens outside of brackets for which `separates` holds, and those tokens;
/// nothing if there are too many or brackets do not match.
template <class Separates>
std::optional<std::pair<std::vector<MathTokens>, std::vector<std::string_view>>> split_math(
    MathTokens tokens, const Separates& separates) {
  std::pair<std::vector<MathTokens>, std::vector<std::string_view>> split;
  std::size_t begin = 0;
  int depth = 0;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    depth += math_depth_change(tokens[i]);
    if (depth < 0 || split.first.size() == kMaxMathParts) return std::nullopt;
    if (depth > 0 || !separates(tokens[i])) continue;
    split.first.push_back(tokens.subspan(begin, i - begin));
    split.second.push_back(tokens[i].text);
    begin = i + 1;
  }
  if (depth != 0) return std::nullopt;
  split.first.push_back(tokens.subspan(begin));
  return split;
}
inline bool is_math_comma(const MathToken& token) { return token.text == ","; }

/// Reads a value; see MathStatement.
class MathValueReader {
 public:
  std::optional<MathValue> read(MathTokens tokens, std::size_t depth = 0);

  /// Several values beside one another; those of \pm are two. Nothing if one could not be read.
  static std::optional<MathValue> list_of(std::span<const std::optional<MathValue>> values);

 private:
  static constexpr std::size_t kMaxDepth = 8;

  /// What brackets around all of the tokens hold; parentheses and plain braces count if there is a
  /// comma in them.
  static std::optional<MathTokens> within_brackets(MathTokens tokens);

  std::optional<MathValue> brackets(MathTokens tokens, MathTokens inside, std::size_t depth);

  std::optional<MathValue> matrix(MathTokens inside, std::size_t depth);

  /// A number, or the two that a single \pm stands for.
  static std::optional<MathValue> number(MathTokens tokens);

  std::size_t parts_ = 0;
};

/// Whether two values are the same: brackets and items alike, in a set or a list in any order. A
/// set of one is its item.
bool equal_values(const MathValue& a, const MathValue& b);

}  // namespace dualagent::detail

#ifndef DUALAGENT_COMPILED
#include "dualagent/reward/math_value.inl"
#endif
