#pragma once

#include <cstddef>
#include <cstdint>
#include <numbers>
#include <string>

#include "dualagent/core/check.hpp"
#include "dualagent/core/compiled.hpp"
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
  double scaled(double frequency) const;

  /// Errors: Error naming the field that cannot be meant.
  void validate() const;

  friend bool operator==(const RopeScaling&, const RopeScaling&) = default;
};

/// As in config.json.
const char* to_string(RopeScaling::Type type);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/model/rope_scaling.inl"
#endif
