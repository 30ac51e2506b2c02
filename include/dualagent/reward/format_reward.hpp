#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "dualagent/core/compiled.hpp"
#include "dualagent/reward/math_answer.hpp"
#include "dualagent/reward/reward.hpp"

namespace dualagent {

/// How an answer has to be written.
enum class AnswerForm : std::uint8_t {
  any,
  boxed,  ///< with a \boxed{...} that closes
  hashed  ///< with "####" and something after it
};

/// `success` if the rollout ended with an answer of that form and every turn could be read, else
/// `failure`. Whether the answer is right does not matter: use it as a small part of a RewardSum,
/// or in a GuardedBonus.
struct FormatReward {
  AnswerForm form = AnswerForm::any;
  double success = 1.0;
  double failure = 0.0;
  void validate() const { detail::require_scores(success, failure, "FormatReward"); }

  std::optional<double> score(const Task&, const Rollout& rollout) const;

 private:
  bool has_form(const std::string& answer) const;
};

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/reward/format_reward.inl"
#endif
