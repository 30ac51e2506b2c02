#include "dualagent/reward/math_answer.hpp"
#include "fuzz.hpp"

/// Any text can be compared with any other; what has a token equals itself; equality does not
/// depend on the order. (Of lists it may: numbers that are close to one another can be paired in
/// more than one way.)
FUZZ_TARGET(text) {
  const std::size_t half = text.find('\n');
  const std::string_view first = text.substr(0, half);
  const std::string_view second = half == std::string_view::npos ? first : text.substr(half + 1);
  const bool equal = dualagent::equal_math(first, second);
  bool list = false;
  for (const std::string_view sign :
       {",", ";", "or", "and", "vee", "pm", "mp", "\xC2\xB1", "cup", "\xE2\x88\xAA"})
    list = list || text.find(sign) != std::string_view::npos;
  if (!list)
    fuzz::require(dualagent::equal_math(second, first) == equal, "equality depends on the order");
  const std::vector<dualagent::detail::MathToken> tokens =
      dualagent::detail::MathTokenizer(first).tokens();
  if (!dualagent::detail::without_needless_braces(tokens).empty())
    fuzz::require(dualagent::equal_math(first, first), "a text does not equal itself");
  dualagent::last_boxed(text);
  dualagent::after_hashes(text);
}
