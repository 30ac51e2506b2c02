#pragma once

/// Definitions of word_cache.hpp; see core/compiled.hpp.

#include "dualagent/text/word_cache.hpp"

namespace dualagent {

DUALAGENT_INLINE ShortWord::ShortWord(std::string_view word)
    : size(static_cast<std::uint8_t>(word.size())) {
  const char* const at = word.data();
  const std::size_t n = word.size();
  if (n >= 8) {
    std::memcpy(&parts[0], at, 8);
    if (n >= 16) {
      std::memcpy(&parts[1], at + 8, 8);
      std::memcpy(&parts[2], at + n - 8, 8);  // overlaps; with the size it still names the word
    } else if (n > 8) {
      std::memcpy(&parts[1], at + n - 8, 8);
    }
  } else if (n >= 4) {
    std::uint32_t first = 0, last = 0;
    std::memcpy(&first, at, 4);
    std::memcpy(&last, at + n - 4, 4);
    parts[0] = std::uint64_t{first} << 32U | last;
  } else {
    for (const char c : word) parts[0] = parts[0] << 8U | static_cast<unsigned char>(c);
  }
}

DUALAGENT_INLINE std::uint64_t ShortWord::hash() const {
  const std::uint64_t mixed = (parts[0] ^ (std::uint64_t{size} << 56U)) * 0x9E3779B97F4A7C15U;
  const std::uint64_t more = (parts[1] ^ (mixed >> 29U)) * 0xBF58476D1CE4E5B9U;
  const std::uint64_t all = mixed ^ ((parts[2] ^ (more >> 31U)) * 0x94D049BB133111EBU) ^ more;
  return all ^ (all >> 32U);
}

DUALAGENT_INLINE std::span<const Token> WordCache::find(const ShortWord& word,
                                                        std::uint64_t hash) const {
  const Place& place = places_[hash & mask_];
  const bool same = ((place.parts[0] ^ word.parts[0]) | (place.parts[1] ^ word.parts[1]) |
                     (place.parts[2] ^ word.parts[2])) == 0;
  if (!same || place.size != word.size) return {};
  return {place.tokens.data(), place.count};
}

DUALAGENT_INLINE void WordCache::put(const ShortWord& word, std::uint64_t hash,
                                     std::span<const Token> tokens) {
  if (tokens.size() > kMostTokens) return;
  if (word.size <= 8 && tokens.size() == 1) {
    small_[hash & mask_] = {word.parts[0], tokens[0], word.size};
    return;
  }
  Place& place = places_[hash & mask_];
  place.parts = word.parts;
  place.size = word.size;
  place.count = static_cast<std::uint8_t>(tokens.size());
  for (std::size_t i = 0; i < tokens.size(); ++i) place.tokens[i] = tokens[i];
}

}  // namespace dualagent
