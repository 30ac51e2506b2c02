#pragma once

/// Definitions of math_answer.hpp; see core/compiled.hpp.

#include "dualagent/reward/math_answer.hpp"

namespace dualagent::detail {

/// What a box holds whose name ends where `text` begins; nothing if it never closes.
inline std::optional<std::string_view> inside_box(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return "";
  if (text[begin] != '{') {
    text = text.substr(0, text.find_first_of("$\n", begin));
    return trimmed(text.substr(0, std::min(text.find("\\)"), text.find("\\]"))));
  }
  std::size_t depth = 0;
  for (std::size_t i = begin; i < text.size(); ++i) {
    if (text[i] == '{') ++depth;
    if (text[i] == '}' && --depth == 0) return text.substr(begin + 1, i - begin - 1);
  }
  return std::nullopt;
}

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE std::optional<std::string_view> last_boxed(std::string_view text) {
  for (std::size_t at = text.rfind('\\'); at != std::string_view::npos;
       at = at == 0 ? std::string_view::npos : text.rfind('\\', at - 1)) {
    const std::string_view here = text.substr(at);
    const std::size_t name = here.starts_with("\\boxed") ? 6 : here.starts_with("\\fbox") ? 5 : 0;
    if (name == 0 || (name < here.size() && detail::is_letter(here[name]))) continue;
    const std::optional<std::string_view> inside = detail::inside_box(here.substr(name));
    if (!inside || !trimmed(*inside).empty()) return inside;
  }
  return std::nullopt;
}

DUALAGENT_INLINE bool equal_math(std::string_view a, std::string_view b) {
  const std::vector<detail::MathToken> first = detail::MathTokenizer(a).tokens();
  const std::vector<detail::MathToken> second = detail::MathTokenizer(b).tokens();
  return detail::same_tokens(first, second) ||
         detail::MathStatement(first).equals(detail::MathStatement(second));
}

DUALAGENT_INLINE std::optional<double> StrictBoxedMath::score(const Task& task,
                                                              const Rollout& rollout) const {
  const std::optional<std::string_view> said = boxed(rollout);
  if (!said) return failure;
  return equal_math(last_boxed(task.answer).value_or(task.answer), *said) ? success : failure;
}

DUALAGENT_INLINE std::optional<std::string_view> StrictBoxedMath::boxed(
    const Rollout& rollout) const {
  if (!rollout.answer) return std::nullopt;
  std::string_view text = *rollout.answer;
  if (last_bytes > 0 && text.size() > last_bytes) text.remove_prefix(text.size() - last_bytes);
  return last_boxed(text);
}

}  // namespace dualagent
