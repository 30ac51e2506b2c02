#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>

#include "dualagent/reward/reward.hpp"

namespace dualagent {

/// A soft penalty for rollouts whose sampled tokens (a fork's history included) come close to a
/// limit: 0 up to max_tokens - margin, then falling linearly to -1 at max_tokens, and -1 beyond.
/// Source: Yu et al., "DAPO", 2025, eq. 13.
struct OverlongPenalty {
  std::size_t max_tokens = 20480;
  std::size_t margin = 4096;  ///< 1 to max_tokens
  void validate() const {
    require_option(max_tokens, kAtLeastOne, "max_tokens", "OverlongPenalty");
    require_option(margin, {1.0, static_cast<double>(max_tokens)}, "margin", "OverlongPenalty");
  }
  std::optional<double> score(const Task&, const Rollout& rollout) const {
    const auto length = static_cast<double>(count_generated(rollout));
    const auto most = static_cast<double>(max_tokens);
    return std::clamp((most - static_cast<double>(margin) - length) / static_cast<double>(margin),
                      -1.0, 0.0);
  }
};

}  // namespace dualagent
