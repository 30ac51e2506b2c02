#pragma once

#include <cstddef>
#include <cstdint>
#include <numbers>
#include <string>

#include "dualagent/core/check.hpp"
#include "dualagent/core/error.hpp"

namespace dualagent {

/// How the frequencies of rotary positions are stretched for contexts longer than those of
/// pretraining; names as in Hugging Face's config.json.
struct RopeScaling {
  enum class Type : std::uint8_t {
    none,
    linear,  ///< every frequency is divided by `factor`
    llama3,  ///< low frequencies are divided by it, high ones stay, those between are blended
  };
  Type type = Type::none;
  double factor = 1.0;
  /// llama3 only. A frequency is low where its wavelength is above
  /// original_max_position_embeddings / low_freq_factor, high where it is below
  /// original_max_position_embeddings / high_freq_factor.
  double low_freq_factor = 1.0;
  double high_freq_factor = 4.0;
  std::size_t original_max_position_embeddings = 8192;

  /// The scaled version of a frequency, in radians per position.
  /// Source: Llama 3.1's reference code, as transformers has it (modeling_rope_utils.py).
  double scaled(double frequency) const {
    if (type == Type::none) return frequency;
    if (type == Type::linear) return frequency / factor;
    const double turns = static_cast<double>(original_max_position_embeddings) * frequency /
                         (2.0 * std::numbers::pi);  // in the original context
    if (turns < low_freq_factor) return frequency / factor;
    if (turns > high_freq_factor) return frequency;
    const double share = (turns - low_freq_factor) / (high_freq_factor - low_freq_factor);
    return (1.0 - share) * frequency / factor + share * frequency;
  }

  /// Errors: Error naming the field that cannot be meant.
  void validate() const {
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

  friend bool operator==(const RopeScaling&, const RopeScaling&) = default;
};

/// As in config.json.
inline const char* to_string(RopeScaling::Type type) {
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
