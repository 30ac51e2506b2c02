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

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/types.hpp"

namespace dualagent {

/// A word of at most 24 bytes as three numbers, for hashing and comparing at once.
struct ShortWord {
  static constexpr std::size_t kMostBytes = 24;
  std::array<std::uint64_t, 3> parts{};
  std::uint8_t size = 0;

  explicit ShortWord(std::string_view word);

  std::uint64_t hash() const;
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
  std::span<const Token> find(const ShortWord& word, std::uint64_t hash) const;

  void put(const ShortWord& word, std::uint64_t hash, std::span<const Token> tokens);

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

#ifndef DUALAGENT_COMPILED
#include "dualagent/text/word_cache.inl"
#endif
