#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/trim.hpp"
#include "dualagent/data/hashed_answer.hpp"
#include "dualagent/data/task.hpp"
#include "dualagent/reward/math_statement.hpp"
#include "dualagent/reward/math_tokens.hpp"
#include "dualagent/reward/reward.hpp"
#include "dualagent/trace/rollout.hpp"

namespace dualagent {

/// What stands in the last \boxed{...} or \fbox{...} that is not empty; nothing without one, or if
/// the last one never closes. Without braces, as in $\boxed 12$, it is what follows up to the end
/// of the formula or line. Time: linear.
std::optional<std::string_view> last_boxed(std::string_view text);

/// Whether two answers mean the same: as mathematics as far as both can be read so, else token by
/// token, without the case of words.
///
/// Read are numbers of any size (decimals, thousands, 12e3, percent, mixed numbers), \frac, \sqrt,
/// \pi, + - * / ^, \pm, factorials, variables, functions (known by their arguments), tuples,
/// intervals, sets, lists, matrices, relations between these, and the name of a value (x = 5).
/// Units, degree signs, fonts and sizes are passed over. What could be read in two ways is not
/// read. Takes any bytes; time linear in them. Compared with math-verify on 5,519 pairs
/// (tests/golden/math_answers). Example: equal_math("\\frac{3}{2}", "1.5").
bool equal_math(std::string_view a, std::string_view b);

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
  void validate() const { detail::require_scores(success, failure, "BoxedMath"); }
  std::optional<double> score(const Task& task, const Rollout& rollout) const {
    return detail::answers_alike(task, rollout, last_boxed) ? success : failure;
  }
};

/// The same, but an answer without a box is a failure, and so is one whose last box does not stand
/// wholly in the last `last_bytes` of the answer: a model must end with what it means. The
/// reference system's check, which looks at the last 100 characters, but the values are compared as
/// mathematics, not as texts.
struct StrictBoxedMath {
  double success = 1.0;
  double failure = 0.0;
  std::size_t last_bytes = 0;  ///< of the answer that are looked at; 0: all
  void validate() const { detail::require_scores(success, failure, "StrictBoxedMath"); }

  std::optional<double> score(const Task& task, const Rollout& rollout) const;

  /// What the rollout's answer has in the box that counts; nothing where there is none.
  std::optional<std::string_view> boxed(const Rollout& rollout) const;
};

/// The same for answers after "####", as GSM8K writes them.
struct HashedMath {
  double success = 1.0;
  double failure = 0.0;
  void validate() const { detail::require_scores(success, failure, "HashedMath"); }
  std::optional<double> score(const Task& task, const Rollout& rollout) const {
    return detail::answers_alike(task, rollout, after_hashes) ? success : failure;
  }
};

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/reward/math_answer.inl"
#endif
