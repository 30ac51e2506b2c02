#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "dualagent/core/error.hpp"
#include "dualagent/core/json.hpp"
#include "dualagent/core/printable.hpp"
#include "dualagent/core/trim.hpp"

namespace dualagent {

/// What a judge grades from 1 to 10.
struct Criterion {
  std::string name = {};      ///< the key in the judge's reply
  std::string question = {};  ///< what the judge is told about it
  double weight = 1.0;        ///< above 0; only the ratios matter
};
using Rubric = std::vector<Criterion>;

/// Completeness .4, conciseness .3, coherence .3, faithfulness .5, as the reference system weighs
/// them for summaries.
inline Rubric summary_rubric() {
  return {{"completeness", "Is everything kept that is needed to answer the question?", 0.4},
          {"conciseness", "Is nothing repeated and nothing said that is not needed?", 0.3},
          {"coherence", "Can it be followed without knowing the material?", 0.3},
          {"faithfulness", "Does it say only what the material says, with its exact values?", 0.5}};
}

/// Errors: Error for a rubric without criteria, a name that is empty or given twice, or a weight
/// that is not a finite number above 0.
inline void check_rubric(const Rubric& rubric) {
  if (rubric.empty()) throw Error("a rubric has no criteria", "Rubric", "Give it at least one");
  std::set<std::string_view> names;
  for (const Criterion& criterion : rubric) {
    if (criterion.name.empty() || !names.insert(criterion.name).second)
      throw Error("a criterion's name is empty or given twice", "Rubric, '" + criterion.name + "'",
                  "Give every criterion a name of its own");
    if (!std::isfinite(criterion.weight) || criterion.weight <= 0.0)
      throw Error("a criterion's weight is " + std::to_string(criterion.weight),
                  "Rubric, '" + criterion.name + "'", "Give it a weight above 0");
  }
}

namespace detail {

/// What a judge says after its thoughts, which some servers leave in the reply.
inline std::string_view without_thoughts(std::string_view text) {
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

}  // namespace detail

/// Reads a judge's reply: a JSON object, alone or in one code fence, after thoughts up to
/// "</think>" or without, with a number from 1 to 10 for every criterion; other keys are ignored.
/// Returns the weighted mean divided by 10, in [0.1, 1].
///
/// Takes any bytes. Errors: Error saying what is wrong with the reply; nothing is filled in.
/// Example: with the summary rubric, all 5s give 0.5.
inline double read_grades(const Rubric& rubric, std::string_view reply) {
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
