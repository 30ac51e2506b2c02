#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "dualagent/core/compiled.hpp"
#include "dualagent/text/unicode_classes.hpp"

namespace dualagent {

namespace detail {

/// Hangul syllables are composed and taken apart by arithmetic (The Unicode Standard,
/// section 3.12).
inline constexpr char32_t kSyllables = 0xAC00, kLeads = 0x1100, kVowels = 0x1161, kTails = 0x11A7;
inline constexpr char32_t kVowelCount = 21, kTailCount = 28, kSyllableCount = 19 * 21 * 28;

}  // namespace detail

/// Whether NFC surely leaves the text as it is; false also for some texts that are already NFC.
bool is_surely_nfc(std::string_view text);

/// Appends the text in Unicode's normalisation form C, as the tokenizers package has it (its tables
/// are older than its character classes, see unicode_tables.inl). Bytes that are not UTF-8 stay.
/// Time is O(n log n) in the worst case, a long run of combining marks, and linear otherwise.
void append_nfc(std::string_view text, std::string& normalized);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/text/nfc.inl"
#endif
