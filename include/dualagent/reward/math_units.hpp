#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "dualagent/core/compiled.hpp"
#include "dualagent/reward/math_tokens.hpp"

namespace dualagent::detail {

/// Whether a word of one or two letters is a unit; a single letter is one in \text alone.
bool is_short_unit(std::string_view text);

/// Where the tokens go on with nothing but words, units and slashes.
std::size_t begin_of_last_words(std::span<const MathToken> tokens);

}  // namespace dualagent::detail

#ifndef DUALAGENT_COMPILED
#include "dualagent/reward/math_units.inl"
#endif
