#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"

namespace dualagent {

/// Bytes as text in the standard alphabet, padded with '=', without line breaks.
/// Source: RFC 4648, section 4. Example: the bytes of "foob" give "Zm9vYg==".
std::string to_base64(std::span<const std::byte> bytes);

/// The bytes that `to_base64` wrote; only that one spelling of them is accepted.
///
/// `where` names the source in errors. Errors: Error for a length that no bytes give, a character
/// outside the alphabet, missing padding, or bits that belong to no byte.
std::vector<std::byte> from_base64(std::string_view text, const std::string& where);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/core/base64.inl"
#endif
