#pragma once

/// Definitions of math_units.hpp; see core/compiled.hpp.

#include "dualagent/reward/math_units.hpp"

namespace dualagent::detail {

DUALAGENT_INLINE bool is_short_unit(std::string_view text) {
  static constexpr std::array<std::string_view, 34> kUnits{
      "m",  "g",  "s",  "h",  "L",  "l",  "N",  "J",  "W",  "V",  "A",  "K",
      "C",  "F",  "cm", "mm", "km", "dm", "kg", "ml", "mL", "hr", "ft", "in",
      "lb", "oz", "mi", "yd", "Hz", "kJ", "kW", "eV", "Pa", "mph"};
  return std::find(kUnits.begin(), kUnits.end(), text) != kUnits.end();
}

/// Whether two letters that stand together here are a unit.
inline bool is_unit_at(std::span<const MathToken> tokens, std::size_t at) {
  if (at + 1 >= tokens.size() || tokens[at].kind != MathTokenKind::letter ||
      tokens[at + 1].kind != MathTokenKind::letter || tokens[at + 1].spaced)
    return false;
  return is_short_unit(std::string{tokens[at].text[0], tokens[at + 1].text[0]});
}

DUALAGENT_INLINE std::size_t begin_of_last_words(std::span<const MathToken> tokens) {
  std::size_t begin = tokens.size();
  while (begin > 0) {
    const MathToken& last = tokens[begin - 1];
    const bool slash = begin > 1 && tokens[begin - 2].text == "/";
    if (last.kind == MathTokenKind::word || (last.text == "/" && begin < tokens.size()))
      begin -= 1;
    else if (begin > 1 && is_unit_at(tokens, begin - 2))
      begin -= 2;
    else if (slash && last.kind == MathTokenKind::letter && is_short_unit(last.text))
      begin -= 1;
    else
      break;
  }
  if (begin < tokens.size() && tokens[begin].text == "/") return tokens.size();
  return begin;
}

}  // namespace dualagent::detail
