#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/types.hpp"

namespace dualagent {

/// Two neighbouring tokens that become one.
struct BpeMerge {
  Token left = 0, right = 0, merged = 0;
};

/// The merges of a byte-pair encoding, in their order, and the engine that applies them.
///
/// Of all pairs of neighbours that have a merge, the one whose merge comes first is merged, the
/// leftmost of equal ones, until none is left. A pair given twice has its last place.
class BpeMerges {
 public:
  BpeMerges() : BpeMerges(std::vector<BpeMerge>{}) {}
  explicit BpeMerges(const std::vector<BpeMerge>& merges);

  /// Merges the tokens of one word in place. O(n^2) with a small constant for short words, O(n log
  /// n) for others.
  void apply(std::vector<Token>& word) const {
    if (word.size() < 2) return;
    word.size() <= kShort ? apply_short(word) : apply_long(word);
  }

 private:
  static constexpr std::size_t kShort = 48;
  static constexpr std::uint32_t kNone = 0xFFFFFFFF;
  struct Slot {
    std::uint64_t pair = ~std::uint64_t{0};
    std::uint32_t rank = kNone;
    Token merged = 0;
  };

  static std::uint64_t key(Token left, Token right) {
    return std::uint64_t{static_cast<std::uint32_t>(left)} << 32U |
           static_cast<std::uint32_t>(right);
  }
  /// The slot of a pair, or the empty one where it would be.
  const Slot* find(std::uint64_t pair) const;
  Slot* find(std::uint64_t pair) { return const_cast<Slot*>(std::as_const(*this).find(pair)); }

  void apply_short(std::vector<Token>& word) const;

  /// A linked list of tokens and a heap of candidate merges; candidates whose tokens have changed
  /// are skipped when they come up.
  void apply_long(std::vector<Token>& word) const;

  std::vector<Slot> slots_;
  std::size_t mask_ = 0;
};

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/text/bpe_merges.inl"
#endif
