#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

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
  explicit BpeMerges(const std::vector<BpeMerge>& merges) {
    std::size_t size = 16;
    while (size < merges.size() + merges.size() / 2) size *= 2;
    slots_.assign(size, {});
    mask_ = size - 1;
    for (std::size_t rank = 0; rank < merges.size(); ++rank) {
      Slot& slot = *find(key(merges[rank].left, merges[rank].right));
      slot = {key(merges[rank].left, merges[rank].right), static_cast<std::uint32_t>(rank),
              merges[rank].merged};
    }
  }

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
  const Slot* find(std::uint64_t pair) const {
    std::size_t at = static_cast<std::size_t>((pair * 0x9E3779B97F4A7C15U) >> 32U) & mask_;
    while (slots_[at].pair != pair && slots_[at].rank != kNone) at = (at + 1) & mask_;
    return &slots_[at];
  }
  Slot* find(std::uint64_t pair) { return const_cast<Slot*>(std::as_const(*this).find(pair)); }

  void apply_short(std::vector<Token>& word) const {
    std::uint32_t ranks[kShort];  // of the pair that begins at each token
    std::size_t size = word.size();
    const auto rank_at = [&](std::size_t i) { return find(key(word[i], word[i + 1]))->rank; };
    for (std::size_t i = 0; i + 1 < size; ++i) ranks[i] = rank_at(i);
    while (size > 1) {
      std::size_t best = 0;
      for (std::size_t i = 1; i + 1 < size; ++i)
        if (ranks[i] < ranks[best]) best = i;
      if (ranks[best] == kNone) break;
      word[best] = find(key(word[best], word[best + 1]))->merged;
      for (std::size_t i = best + 1; i + 1 < size; ++i) {
        word[i] = word[i + 1];
        ranks[i] = ranks[i + 1];
      }
      --size;
      if (best + 1 < size) ranks[best] = rank_at(best);
      if (best > 0) ranks[best - 1] = rank_at(best - 1);
    }
    word.resize(size);
  }

  /// A linked list of tokens and a heap of candidate merges; candidates whose tokens have changed
  /// are skipped when they come up.
  void apply_long(std::vector<Token>& word) const {
    struct Candidate {
      std::uint32_t rank;
      std::uint32_t at;
      std::uint64_t pair;
      bool operator>(const Candidate& other) const {
        return rank != other.rank ? rank > other.rank : at > other.at;
      }
    };
    const auto size = static_cast<std::uint32_t>(word.size());
    std::vector<std::uint32_t> next(size), previous(size);
    std::vector<Candidate> heap;
    heap.reserve(size);
    const auto candidate = [&](std::uint32_t at) {
      if (next[at] == size) return Candidate{kNone, at, 0};
      const std::uint64_t pair = key(word[at], word[next[at]]);
      return Candidate{find(pair)->rank, at, pair};
    };
    for (std::uint32_t i = 0; i < size; ++i) next[i] = i + 1, previous[i] = i - 1;
    for (std::uint32_t i = 0; i + 1 < size; ++i)
      if (const Candidate c = candidate(i); c.rank != kNone) heap.push_back(c);
    std::make_heap(heap.begin(), heap.end(), std::greater<>());
    const auto push = [&](std::uint32_t at) {
      const Candidate c = candidate(at);
      if (c.rank == kNone) return;
      heap.push_back(c);
      std::push_heap(heap.begin(), heap.end(), std::greater<>());
    };
    constexpr Token kGone = -1;
    while (!heap.empty()) {
      std::pop_heap(heap.begin(), heap.end(), std::greater<>());
      const Candidate best = heap.back();
      heap.pop_back();
      const std::uint32_t at = best.at, second = next[at];
      if (word[at] == kGone || second == size || key(word[at], word[second]) != best.pair) continue;
      word[at] = find(best.pair)->merged;
      word[second] = kGone;
      next[at] = next[second];
      if (next[at] != size) previous[next[at]] = at;
      push(at);
      if (at != 0) push(previous[at]);
    }
    std::erase(word, kGone);
  }

  std::vector<Slot> slots_;
  std::size_t mask_ = 0;
};

}  // namespace dualagent
