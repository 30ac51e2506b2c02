#pragma once

/// Definitions of math_cursor.hpp; see core/compiled.hpp.

#include "dualagent/reward/math_cursor.hpp"

namespace dualagent::detail {

DUALAGENT_INLINE std::optional<std::int64_t> MathCursor::whole_number() {
  const std::size_t count = count_digits();
  if (count == 0 || count > 17) return std::nullopt;
  std::int64_t result = 0;
  for (std::size_t i = 0; i < count; ++i) result = result * 10 + take_digit();
  return result;
}

DUALAGENT_INLINE std::optional<std::int64_t> MathCursor::whole_argument() {
  if (is_digit()) return take_digit();
  if (!opens()) return std::nullopt;
  ++at_;
  const auto result = whole_number();
  if (!result || !closes()) return std::nullopt;
  ++at_;
  return result;
}

}  // namespace dualagent::detail
