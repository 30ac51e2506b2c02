#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dualagent/core/compiled.hpp"
#include "dualagent/reward/reward.hpp"

namespace dualagent {

/// How far two texts hold the same words, in [0, 1]: the harmonic mean of precision and recall over
/// words, each as often as it occurs. Case, punctuation and the articles a, an, the do not count;
/// two texts without words are equal.
///
/// Takes any bytes; case, punctuation and space are those of ASCII, other characters are parts of
/// words. Source: Rajpurkar et al., "SQuAD", 2016, section 6.1, normalisation of its evaluation.
/// Example: token_f1("the cat sat", "A cat!") == 2 / 3.
double token_f1(std::string_view right, std::string_view said);

/// token_f1 of the answer with the task's; 0 without an answer.
struct TokenF1 {
  std::optional<double> score(const Task& task, const Rollout& rollout) const {
    return rollout.answer ? token_f1(task.answer, *rollout.answer) : 0.0;
  }
};

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/reward/token_f1.inl"
#endif
