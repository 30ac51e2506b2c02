#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "dualagent/reward/math_expression.hpp"
#include "dualagent/trace/rollout.hpp"
#include "dualagent/trace/task.hpp"

namespace dualagent {

/// What stands in the last \boxed{...} or \fbox{...}; nothing without one, or if it never closes.
/// Time: linear.
inline std::optional<std::string_view> last_boxed(std::string_view text) {
  const std::size_t boxed = text.rfind("\\boxed{"), fbox = text.rfind("\\fbox{");
  if (boxed == std::string_view::npos && fbox == std::string_view::npos) return std::nullopt;
  const bool second =
      boxed == std::string_view::npos || (fbox != std::string_view::npos && fbox > boxed);
  const std::size_t begin = second ? fbox + 6 : boxed + 7;
  std::size_t depth = 1;
  for (std::size_t i = begin; i < text.size(); ++i) {
    if (text[i] == '{') ++depth;
    if (text[i] == '}' && --depth == 0) return text.substr(begin, i - begin);
  }
  return std::nullopt;
}

/// What stands after the last "####" (the format of GSM8K), without white space; nothing without.
inline std::optional<std::string_view> after_hashes(std::string_view text) {
  const std::size_t at = text.rfind("####");
  if (at == std::string_view::npos) return std::nullopt;
  text.remove_prefix(at + 4);
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return std::nullopt;
  return text.substr(first, text.find_last_not_of(" \t\r\n") + 1 - first);
}

namespace detail {

/// "x = 5" -> "5", for answers that name their variable.
inline std::string_view without_variable(std::string_view text) {
  const std::size_t equals = text.rfind('=');
  if (equals == std::string_view::npos) return text;
  std::string_view name = text.substr(0, equals);
  while (!name.empty() && (name.back() == ' ' || name.back() == '$')) name.remove_suffix(1);
  while (!name.empty() && (name.front() == ' ' || name.front() == '$')) name.remove_prefix(1);
  if (name.size() != 1 || !is_letter(name.front())) return text;
  return text.substr(equals + 1);
}

/// Letters and signs without spaces, dollar signs, \text and case, for answers in words.
inline std::string as_words(std::string_view text) {
  std::string words;
  for (std::size_t i = 0; i < text.size(); ++i) {
    bool skipped = false;
    for (const std::string_view name :
         {"\\text", "\\textbf", "\\mathrm", "\\mbox", "\\left", "\\right"})
      if (text.substr(i).starts_with(name) &&
          !(i + name.size() < text.size() && is_letter(text[i + name.size()]))) {
        i += name.size() - 1;
        skipped = true;
        break;
      }
    const char c = text[i];
    if (skipped || c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '$' || c == '{' ||
        c == '}')
      continue;
    words += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  while (!words.empty() && words.back() == '.') words.pop_back();
  return words;
}

}  // namespace detail

/// Whether two answers mean the same: as mathematics where both can be read so (see parse_math and
/// equal_values), else word by word, without case and spaces.
///
/// Takes any bytes; time linear in them. Checked against math-verify on 2,700 pairs
/// (tests/golden/math_answers).
inline bool equal_math(std::string_view a, std::string_view b) {
  const std::optional<MathValue> first = parse_math(detail::without_variable(a));
  const std::optional<MathValue> second = parse_math(detail::without_variable(b));
  if (first && second) return equal_values(*first, *second);
  const std::string words = detail::as_words(a);
  return !words.empty() && words == detail::as_words(b);
}

namespace detail {

/// Whether the rollout's answer means the task's; `part_of` finds the part of a text that counts.
template <class PartOf>
bool answers_alike(const Task& task, const Rollout& rollout, const PartOf& part_of) {
  if (!rollout.answer) return false;
  const std::string_view said = part_of(*rollout.answer).value_or(*rollout.answer);
  return equal_math(part_of(task.answer).value_or(task.answer), said);
}

}  // namespace detail

/// `success` if the last boxed answer of the rollout means the task's answer, else `failure`. An
/// answer without a box is read as it is; so is a task's.
///
/// Source: the convention of Hendrycks et al., "Measuring mathematical problem solving", 2021.
struct BoxedMath {
  double success = 1.0;
  double failure = 0.0;
  std::optional<double> score(const Task& task, const Rollout& rollout) const {
    return detail::answers_alike(task, rollout, last_boxed) ? success : failure;
  }
};

/// The same for answers after "####", as GSM8K writes them.
struct HashedMath {
  double success = 1.0;
  double failure = 0.0;
  std::optional<double> score(const Task& task, const Rollout& rollout) const {
    return detail::answers_alike(task, rollout, after_hashes) ? success : failure;
  }
};

}  // namespace dualagent
