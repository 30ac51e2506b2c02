#pragma once

/// Definitions of math_value.hpp; see core/compiled.hpp.

#include "dualagent/reward/math_value.hpp"

namespace dualagent::detail {

DUALAGENT_INLINE int math_depth_change(const MathToken& token) {
  const std::string_view text = token.text;
  if (text == "(" || text == "[" || text == "\\{" || text.starts_with("\\begin{") ||
      token.kind == MathTokenKind::open)
    return 1;
  if (text == ")" || text == "]" || text == "\\}" || text.starts_with("\\end{") ||
      token.kind == MathTokenKind::close)
    return -1;
  return 0;
}

DUALAGENT_INLINE std::optional<MathValue> MathValueReader::read(MathTokens tokens,
                                                                std::size_t depth) {
  if (tokens.empty() || depth == kMaxDepth || ++parts_ > kMaxMathParts) return std::nullopt;
  if (const auto inside = within_brackets(tokens)) return brackets(tokens, *inside, depth);
  if (tokens.front().text == "\\begin{pmatrix}" && tokens.back().text == "\\end{pmatrix}")
    return matrix(tokens.subspan(1, tokens.size() - 2), depth);
  return number(tokens);
}

DUALAGENT_INLINE std::optional<MathValue> MathValueReader::list_of(
    std::span<const std::optional<MathValue>> values) {
  MathValue list;
  for (const std::optional<MathValue>& value : values) {
    if (!value) return std::nullopt;
    if (value->open == 0 && !value->number)
      list.items.insert(list.items.end(), value->items.begin(), value->items.end());
    else
      list.items.push_back(*value);
  }
  if (list.items.size() == 1) return MathValue(list.items.front());
  return list;
}

DUALAGENT_INLINE std::optional<MathTokens> MathValueReader::within_brackets(MathTokens tokens) {
  const std::string_view first = tokens.front().text, last = tokens.back().text;
  const bool plain = tokens.front().kind == MathTokenKind::open && !tokens.front().is_text;
  const bool set = first == "\\{" && last == "\\}";
  const bool round = (first == "(" || first == "[") && (last == ")" || last == "]");
  if (tokens.size() < 3 || (!set && !round && !(plain && last == "}"))) return std::nullopt;
  int depth = 0;
  bool comma = false;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    depth += math_depth_change(tokens[i]);
    comma = comma || (depth == 1 && is_math_comma(tokens[i]));
    if (depth == 0 && i + 1 < tokens.size()) return std::nullopt;
  }
  if (depth != 0 || (!comma && !set && first != "[")) return std::nullopt;
  return tokens.subspan(1, tokens.size() - 2);
}

DUALAGENT_INLINE std::optional<MathValue> MathValueReader::brackets(MathTokens tokens,
                                                                    MathTokens inside,
                                                                    std::size_t depth) {
  const auto pieces = split_math(inside, is_math_comma);
  if (!pieces) return std::nullopt;
  std::vector<std::optional<MathValue>> values;
  for (const MathTokens piece : pieces->first) values.push_back(read(piece, depth + 1));
  std::optional<MathValue> list = list_of(values);
  if (!list) return std::nullopt;
  if (list->number || list->open != 0) {
    MathValue single;
    single.items.push_back(std::move(*list));
    list = std::move(single);
  }
  const bool set = tokens.front().kind == MathTokenKind::open || tokens.front().text == "\\{";
  list->open = set ? '{' : tokens.front().text[0];
  list->close = set ? '}' : tokens.back().text[0];
  return list;
}

DUALAGENT_INLINE std::optional<MathValue> MathValueReader::matrix(MathTokens inside,
                                                                  std::size_t depth) {
  const auto rows = split_math(inside, [](const MathToken& t) { return t.text == "\\\\"; });
  if (!rows) return std::nullopt;
  MathValue result{.open = 'M', .close = 'M', .number = {}, .items = {}};
  for (const MathTokens& row : rows->first) {
    if (row.empty() && &row == &rows->first.back()) continue;  // \\ at the end
    const auto entries = split_math(row, [](const MathToken& t) { return t.text == "&"; });
    if (!entries) return std::nullopt;
    MathValue line{.open = 'M', .close = 'M', .number = {}, .items = {}};
    for (const MathTokens entry : entries->first) {
      std::optional<MathValue> value = read(entry, depth + 1);
      if (!value) return std::nullopt;
      line.items.push_back(std::move(*value));
    }
    result.items.push_back(std::move(line));
  }
  return result;
}

DUALAGENT_INLINE std::optional<MathValue> MathValueReader::number(MathTokens tokens) {
  const auto signs = std::count_if(tokens.begin(), tokens.end(), [](const MathToken& token) {
    return token.text == "\\pm" || token.text == "\\mp";
  });
  MathValue value;
  if (signs == 0) {
    value.number = MathParser(tokens).number();
    return value.number ? std::optional(std::move(value)) : std::nullopt;
  }
  if (signs > 1) return std::nullopt;
  for (const int sign : {1, -1}) {
    MathValue item;
    item.number = MathParser(tokens, sign).number();
    if (!item.number) return std::nullopt;
    value.items.push_back(std::move(item));
  }
  return value;
}

/// Whether two numbers are the same. A percentage equals its number and its hundredth.
inline bool equal_numbers(const MathNumber& a, const MathNumber& b) {
  if (a.equals(b)) return true;
  const MathNumber hundred = MathNumber::integer(100);
  if (a.is_percent && !b.is_percent) return (a * hundred).equals(b);
  if (b.is_percent && !a.is_percent) return (b * hundred).equals(a);
  return false;
}

DUALAGENT_INLINE bool equal_values(const MathValue& a, const MathValue& b) {
  if (a.number && b.number) return equal_numbers(*a.number, *b.number);
  const auto is_set = [](const MathValue& value) {
    return !value.number && (value.open == 0 || value.open == '{');
  };
  if (is_set(a) && a.items.size() == 1 && !is_set(b)) return equal_values(a.items[0], b);
  if (is_set(b) && b.items.size() == 1 && !is_set(a)) return equal_values(a, b.items[0]);
  if (a.number || b.number || a.items.size() != b.items.size()) return false;
  if (is_set(a) && is_set(b))
    return std::is_permutation(a.items.begin(), a.items.end(), b.items.begin(), equal_values);
  return a.open == b.open && a.close == b.close &&
         std::equal(a.items.begin(), a.items.end(), b.items.begin(), equal_values);
}

}  // namespace dualagent::detail
