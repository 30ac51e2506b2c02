#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "dualagent/core/types.hpp"

namespace dualagent {

/// A word of at most 24 bytes as three numbers, for hashing and comparing at once.
struct ShortWord {
  static constexpr std::size_t kMostBytes = 24;
  std::array<std::uint64_t, 3> parts{};
  std::uint8_t size = 0;

  explicit ShortWord(std::string_view word) : size(static_cast<std::uint8_t>(word.size())) {
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

  std::uint64_t hash() const {
    const std::uint64_t mixed = (parts[0] ^ (std::uint64_t{size} << 56U)) * 0x9E3779B97F4A7C15U;
    const std::uint64_t more = (parts[1] ^ (mixed >> 29U)) * 0xBF58476D1CE4E5B9U;
    const std::uint64_t all = mixed ^ ((parts[2] ^ (more >> 31U)) * 0x94D049BB133111EBU) ^ more;
    return all ^ (all >> 32U);
  }
};

/// The tokens of words seen before, where a word takes the place of another one: places of 64
/// bytes, and before them as many of 16 bytes for words of at most 8 bytes that are one token. For
/// one thread at a time; what it returns does not depend on what was asked before.
class WordCache {
 public:
  static constexpr std::size_t kMostTokens = 8;

  /// As many places as the vocabulary has tokens, the next power of two, from 64 to 16,384.
  explicit WordCache(std::size_t vocab_size)
      : mask_(std::bit_ceil(std::clamp(vocab_size, kFewestPlaces, kMostPlaces)) - 1),
        small_(mask_ + 1),
        places_(mask_ + 1) {}

  /// The token of a word of at most 8 bytes; -1 if it is not there.
  Token find_one(const ShortWord& word, std::uint64_t hash) const {
    const Small& place = small_[hash & mask_];
    return place.part == word.parts[0] && place.size == word.size ? place.token : -1;
  }

  /// The tokens of the word; empty if it is not there.
  std::span<const Token> find(const ShortWord& word, std::uint64_t hash) const {
    const Place& place = places_[hash & mask_];
    const bool same = ((place.parts[0] ^ word.parts[0]) | (place.parts[1] ^ word.parts[1]) |
                       (place.parts[2] ^ word.parts[2])) == 0;
    if (!same || place.size != word.size) return {};
    return {place.tokens.data(), place.count};
  }

  void put(const ShortWord& word, std::uint64_t hash, std::span<const Token> tokens) {
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

 private:
  static constexpr std::size_t kFewestPlaces = 1U << 6U, kMostPlaces = 1U << 14U;
  struct Small {
    std::uint64_t part = 0;
    Token token = -1;
    std::uint32_t size = 0;
  };
  struct alignas(64) Place {
    std::array<std::uint64_t, 3> parts{};
    std::array<Token, kMostTokens> tokens{};
    std::uint8_t size = 0, count = 0;
  };
  std::size_t mask_;
  std::vector<Small> small_;
  std::vector<Place> places_;
};

}  // namespace dualagent
