#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/trim.hpp"

namespace dualagent {

/// What stands behind the last "####" that is followed by anything on its line, up to the next
/// "####" or the end of that line; where all end their lines, the next line that is not empty.
/// Without white space around it; nothing without any. The format of GSM8K. Time: linear.
/// Example: after_hashes("so\n#### 42 ####\nDone.") == "42".
std::optional<std::string_view> after_hashes(std::string_view text);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/data/hashed_answer.inl"
#endif
