#pragma once

/// Definitions of rope_scaling.hpp; see core/compiled.hpp.

#include "dualagent/model/rope_scaling.hpp"

namespace dualagent {

DUALAGENT_INLINE double RopeScaling::scaled(double frequency) const {
  if (type == Type::none) return frequency;
  if (type == Type::linear) return frequency / factor;
  const double turns = static_cast<double>(original_max_position_embeddings) * frequency /
                       (2.0 * std::numbers::pi);  // in the original context
  if (turns < low_freq_factor) return frequency / factor;
  if (turns > high_freq_factor) return frequency;
  const double share = (turns - low_freq_factor) / (high_freq_factor - low_freq_factor);
  return (1.0 - share) * frequency / factor + share * frequency;
}

DUALAGENT_INLINE void RopeScaling::validate() const {
  if (type == Type::none) return;
  require_option(factor, kAtLeastOne, "factor", "RopeScaling");
  if (type == Type::linear) return;
  require_option(low_freq_factor, kPositive, "low_freq_factor", "RopeScaling");
  require_option(high_freq_factor, kPositive, "high_freq_factor", "RopeScaling");
  if (high_freq_factor <= low_freq_factor)
    throw Error("high_freq_factor is not above low_freq_factor", "RopeScaling",
                "1 and 4 are Llama 3's values");
  if (original_max_position_embeddings == 0)
    throw Error("original_max_position_embeddings is 0", "RopeScaling",
                "Set it to the context length of pretraining");
}

DUALAGENT_INLINE const char* to_string(RopeScaling::Type type) {
  switch (type) {
    case RopeScaling::Type::linear:
      return "linear";
    case RopeScaling::Type::llama3:
      return "llama3";
    default:
      return "default";
  }
}

}  // namespace dualagent
