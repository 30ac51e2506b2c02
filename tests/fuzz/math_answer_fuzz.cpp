#include "dualagent/reward/math_answer.hpp"
#include "fuzz.hpp"

/// Any text can be compared with any other; equality does not depend on the order. (Of lists it
/// may: numbers that are close to one another can be paired in more than one way.)
FUZZ_TARGET(text) {
  const std::size_t half = text.find('\n');
  const std::string_view first = text.substr(0, half);
  const std::string_view second = half == std::string_view::npos ? first : text.substr(half + 1);
  const bool equal = dualagent::equal_math(first, second);
  if (text.find(',') == std::string_view::npos)
    fuzz::require(dualagent::equal_math(second, first) == equal, "equality depends on the order");
  dualagent::last_boxed(text);
  dualagent::after_hashes(text);
}
