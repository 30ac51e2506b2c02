#pragma once

/// Definitions of rubric.hpp; see core/compiled.hpp.

#include "dualagent/reward/rubric.hpp"

namespace dualagent {

DUALAGENT_INLINE Rubric summary_rubric() {
  return {{"completeness", "Is everything kept that is needed to answer the question?", 0.4},
          {"conciseness", "Is nothing repeated and nothing said that is not needed?", 0.3},
          {"coherence", "Can it be followed without knowing the material?", 0.3},
          {"faithfulness", "Does it say only what the material says, with its exact values?", 0.5}};
}

DUALAGENT_INLINE void check_rubric(const Rubric& rubric) {
  if (rubric.empty()) throw Error("a rubric has no criteria", "Rubric", "Give it at least one");
  std::set<std::string_view> names;
  for (const Criterion& criterion : rubric) {
    if (criterion.name.empty() || !names.insert(criterion.name).second)
      throw Error("a criterion's name is empty or given twice", "Rubric, '" + criterion.name + "'",
                  "Give every criterion a name of its own");
    require_option(criterion.weight, {0.0, 1e9, false, true}, "a criterion's weight",
                   "Rubric, '" + criterion.name + "'");
  }
}

}  // namespace dualagent

namespace dualagent::detail {

DUALAGENT_INLINE std::string_view without_thoughts(std::string_view text) {
  constexpr std::string_view kClose = "</think>";
  text = trimmed(text);
  const std::size_t close = text.starts_with('{') ? text.npos : text.rfind(kClose);
  return close == text.npos ? text : trimmed(text.substr(close + kClose.size()));
}

/// Without the one code fence that models put around JSON: on lines of its own or not, with or
/// without the name of a language.
inline std::string_view without_fence(std::string_view text) {
  constexpr std::string_view kFence = "```";
  if (text.size() < 2 * kFence.size() || !text.starts_with(kFence) || !text.ends_with(kFence))
    return text;
  text = text.substr(kFence.size(), text.size() - 2 * kFence.size());
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  while (!text.empty() && is_letter(text.front())) text.remove_prefix(1);
  return trimmed(text);
}

/// Whether a reply ends before what it has begun: thoughts, a fence, an object; or says nothing.
inline bool seems_cut_off(std::string_view text) {
  text = without_thoughts(text);
  if (text.starts_with("```")) return !text.ends_with("```");
  if (text.starts_with('{')) return text.find('}') == text.npos;
  return text.empty() || text.starts_with("<think>");
}

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE double read_grades(const Rubric& rubric, std::string_view reply) {
  constexpr std::size_t kShownBytes = 80;
  const std::string where =
      "the judge's reply '" + printable(trimmed(reply).substr(0, kShownBytes)) + "'";
  const std::string remedy = detail::seems_cut_off(reply)
                                 ? "Raise JudgeOptions::max_tokens: the reply seems to be cut off"
                                 : "Ask a model that keeps to JSON, or say in "
                                   "JudgeOptions::instructions what it gets wrong";
  const std::string_view text = detail::without_fence(detail::without_thoughts(reply));
  if (!text.starts_with('{')) throw Error("not a JSON object and nothing else", where, remedy);
  const nlohmann::json grades = parse_json(text, where, remedy);
  double sum = 0, weights = 0;
  for (const Criterion& criterion : rubric) {
    const auto found = grades.find(criterion.name);
    if (found == grades.end())
      throw Error("the grade '" + criterion.name + "' is missing", where, remedy);
    const double grade = found->is_number() ? found->get<double>() : 0.0;
    if (!(grade >= 1.0 && grade <= 10.0))
      throw Error("the grade '" + criterion.name + "' is not a number from 1 to 10", where,
                  "Say in the criterion's question what its grades mean, or ask another model");
    sum += criterion.weight * grade;
    weights += criterion.weight;
  }
  return sum / (10.0 * weights);
}

}  // namespace dualagent
