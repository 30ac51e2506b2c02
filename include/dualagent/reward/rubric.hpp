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

/// Without white space around it and without the code fence that models put around JSON.
inline std::string_view without_fence(std::string_view text) {
  text = trimmed(text);
  for (const std::string_view open : {"```json\n", "```\n"}) {
    if (!text.starts_with(open) || !text.ends_with("\n```") || text.size() < open.size() + 4)
      continue;
    text = text.substr(open.size(), text.size() - open.size() - 4);
    break;
  }
  return trimmed(text);
}

}  // namespace detail

/// Reads a judge's reply: a JSON object, alone or in one code fence, with a number from 1 to 10 for
/// every criterion; other keys are ignored. Returns the weighted mean divided by 10, in [0.1, 1].
///
/// Takes any bytes. Errors: Error saying what is wrong with the reply; nothing is filled in.
/// Example: with the summary rubric, all 5s give 0.5.
inline double read_grades(const Rubric& rubric, std::string_view reply) {
  const nlohmann::json grades =
      parse_json(std::string(detail::without_fence(reply)), "the judge's reply");
  if (!grades.is_object()) throw Error("the judge's reply is not a JSON object");
  double sum = 0, weights = 0;
  for (const Criterion& criterion : rubric) {
    const auto found = grades.find(criterion.name);
    if (found == grades.end())
      throw Error("the judge's reply has no grade '" + criterion.name + "'");
    const double grade = found->is_number() ? found->get<double>() : 0.0;
    if (!(grade >= 1.0 && grade <= 10.0))
      throw Error("the judge's grade '" + criterion.name + "' is no number from 1 to 10");
    sum += criterion.weight * grade;
    weights += criterion.weight;
  }
  return sum / (10.0 * weights);
}

}  // namespace dualagent
