#pragma once

/// Definitions of advantage.hpp; see core/compiled.hpp.

#include "dualagent/objective/advantage.hpp"

namespace dualagent {

DUALAGENT_INLINE void Gae::credit_run(const RolloutTokens& tokens, std::size_t begin,
                                      std::size_t end, double gamma, double lambda,
                                      const TokenCredits& credits) {
  kernels::GaeState<double> next;
  for (std::size_t t = end; t-- > begin;) {
    const double reward = t + 1 == end ? tokens.advantage[t] : 0.0;
    next = kernels::gae_step(next, tokens.value[t], reward, gamma, lambda);
    credits.advantage[t] = next.advantage;
    credits.value_target[t] = next.advantage + next.value;
  }
}

DUALAGENT_INLINE void SegmentGae::validate() const {
  require_option(gamma, kFraction, "gamma", "SegmentGae");
  require_option(lambda, kFraction, "lambda", "SegmentGae");
}

DUALAGENT_INLINE void SegmentGae::credit_tokens(const RolloutTokens& tokens,
                                                const TokenCredits& credits) const {
  for (std::size_t s = 0; s + 1 < tokens.segment_begin.size(); ++s)
    Gae::credit_run(tokens, tokens.segment_begin[s], tokens.segment_begin[s + 1], gamma, lambda,
                    credits);
}

DUALAGENT_INLINE void CrossSegmentGae::validate() const {
  require_option(gamma, kFraction, "gamma", "CrossSegmentGae");
  require_option(length_scale, kPositive, "length_scale", "CrossSegmentGae");
}

DUALAGENT_INLINE void CrossSegmentGae::credit_tokens(const RolloutTokens& tokens,
                                                     const TokenCredits& credits) const {
  for (std::size_t s = 0; s + 1 < tokens.segment_begin.size(); ++s) {
    const std::size_t begin = tokens.segment_begin[s], end = tokens.segment_begin[s + 1];
    if (begin == end) continue;
    const double lambda =
        std::max(0.0, 1.0 - 1.0 / (length_scale * static_cast<double>(end - begin)));
    Gae::credit_run(tokens, begin, end, gamma, lambda, credits);
    const double reach = std::pow(gamma * lambda, static_cast<double>(tokens.size() - end));
    for (std::size_t t = begin; t < end; ++t) credits.advantage[t] *= reach;
  }
}

}  // namespace dualagent
