#pragma once

/// Definitions of format_reward.hpp; see core/compiled.hpp.

#include "dualagent/reward/format_reward.hpp"

namespace dualagent {

DUALAGENT_INLINE std::optional<double> FormatReward::score(const Task&,
                                                           const Rollout& rollout) const {
  const bool kept = rollout.answer && rollout.malformed_turns == 0 && has_form(*rollout.answer);
  return kept ? success : failure;
}

DUALAGENT_INLINE bool FormatReward::has_form(const std::string& answer) const {
  switch (form) {
    case AnswerForm::any:
      return true;
    case AnswerForm::boxed:
      return last_boxed(answer).has_value();
    case AnswerForm::hashed:
      return after_hashes(answer).has_value();
  }
  return false;
}

}  // namespace dualagent
