#pragma once

/// Definitions of unicode_classes.hpp; see core/compiled.hpp.

#include "dualagent/text/unicode_classes.hpp"

namespace dualagent {

DUALAGENT_INLINE std::optional<CategorySet> categories_of(std::string_view name) {
  constexpr std::string_view kNames = "CnCcCfCoLuLlLtLmLoMnMcMeNdNlNoPcPdPsPePiPfPoSmScSkSoZsZlZp";
  CategorySet found = 0;
  if (name.size() == 1 || name.size() == 2)
    for (std::size_t i = 0; i < kNames.size(); i += 2)
      if (kNames.substr(i, name.size()) == name) found |= CategorySet{1} << (i / 2);
  return found == 0 ? std::nullopt : std::optional(found);
}

DUALAGENT_INLINE UnicodeTable::UnicodeTable() : bytes_(0x110000) {
  std::size_t at = 0;
  for (const std::uint32_t run : detail::kPropertyRuns)
    for (std::uint32_t i = 0; i < run >> 8U; ++i) bytes_[at++] = static_cast<std::uint8_t>(run);
}

DUALAGENT_INLINE CharacterAt character_at(const char* at, const char* end) {
  const auto first = static_cast<unsigned char>(*at);
  if (first < 0x80) return {first, at + 1};
  const DecodedCharacter c = decode_utf8({at, static_cast<std::size_t>(end - at)});
  return {c.valid ? c.code_point : char32_t{0x10FFFF}, at + c.size_bytes};
}

}  // namespace dualagent
