#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "dualagent/core/compiled.hpp"

namespace dualagent {

/// SHA-256 of a text in memory, as 64 hexadecimal digits: names a file by what is in it.
///
/// Source: FIPS 180-4. Slow beside vectorised code: for files of kilobytes.
/// Example: sha256_hex("abc") begins with "ba7816bf".
std::string sha256_hex(std::string_view text);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/core/sha256.inl"
#endif
