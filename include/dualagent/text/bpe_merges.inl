#pragma once

/// Definitions of bpe_merges.hpp; see core/compiled.hpp.

#include "dualagent/text/bpe_merges.hpp"

namespace dualagent {

DUALAGENT_INLINE BpeMerges::BpeMerges(const std::vector<BpeMerge>& merges) {
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

DUALAGENT_INLINE auto BpeMerges::find(std::uint64_t pair) const -> const Slot* {
  std::size_t at = static_cast<std::size_t>((pair * 0x9E3779B97F4A7C15U) >> 32U) & mask_;
  while (slots_[at].pair != pair && slots_[at].rank != kNone) at = (at + 1) & mask_;
  return &slots_[at];
}

DUALAGENT_INLINE void BpeMerges::apply_short(std::vector<Token>& word) const {
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

DUALAGENT_INLINE void BpeMerges::apply_long(std::vector<Token>& word) const {
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

}  // namespace dualagent
