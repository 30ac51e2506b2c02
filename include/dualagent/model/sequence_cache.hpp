#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <list>
#include <span>
#include <unordered_map>

#include "dualagent/core/types.hpp"
#include "dualagent/model/backend.hpp"
#include "dualagent/model/kv_cache.hpp"
#include "dualagent/model/transformer_config.hpp"

namespace dualagent {

/// Positions of contexts and answers, counted since the sampler was made.
struct PositionCounts {
  std::uint64_t computed = 0;  ///< went through the model; again, where weights changed meanwhile
  std::uint64_t reused = 0;    ///< keys and values were there: of the sequence, or of another one
};

}  // namespace dualagent

namespace dualagent::detail {

/// Keys and values of all sequences that a sampler knows, and of the last ones that it released,
/// from which a new sequence takes the prefix that it shares with them.
///
/// Models that share blocks (a base and its adapters) have sequences of their own: `of` says whose,
/// and nothing that one has computed is taken by another.
/// Memory: that of the most blocks that unreleased sequences hold together. Released sequences, the
/// last kReleased, lie in blocks that nobody else wants: these are taken back, from the end of the
/// oldest one, before a new block is allocated.
/// All members run on one thread at a time; see CachedSequence.
template <class T>
class SequenceCache {
 public:
  using Sequence = CachedSequence<T>;
  using Owner = const void*;  // identity of the weights; null: the base
  static constexpr std::size_t kReleased = 64;

  explicit SequenceCache(const TransformerConfig& config)
      : most_(config.max_position_embeddings), blocks_(config) {}

  std::size_t bytes_per_token() const { return blocks_.bytes_per_token(); }
  std::size_t blocks_allocated() const { return blocks_.blocks_allocated(); }
  /// Positions that did not have to be computed.
  std::uint64_t reused() const { return reused_; }

  /// What is kept of the sequence, cut to the prefix that it shares with the context; at least the
  /// last token of the context is left to be computed. Valid until it is released.
  Sequence& open(SequenceId id, std::span<const Token> context, Owner of = nullptr) {
    Sequence& sequence = sequences_[of].try_emplace(id, blocks_, most_).first->second;
    sequence.cut(std::min(sequence.common_prefix(context), context.size() - 1));
    reused_ += sequence.size();
    return sequence;
  }

  /// A sequence, released or not, and the number of tokens that it begins with like a context.
  struct Prefix {
    const Sequence* sequence = nullptr;
    std::size_t size = 0;
  };
  Prefix longest_prefix(std::span<const Token> context, Owner of = nullptr) const {
    Prefix best;
    const auto consider = [&](const Sequence& sequence) {
      const std::size_t size = sequence.common_prefix(context);
      if (size > best.size) best = {&sequence, size};
    };
    if (const auto own = sequences_.find(of); own != sequences_.end())
      for (const auto& [id, sequence] : own->second) consider(sequence);
    for (const Released& released : released_)
      if (released.of == of) consider(released.sequence);
    return best;
  }
  void share(const Prefix& prefix, Sequence& with) {
    with.share_prefix(*prefix.sequence, prefix.size);
    reused_ += prefix.size;
  }

  /// Makes the positions from the sequence's size to `positions` writable.
  void reserve(Sequence& sequence, std::size_t positions) {
    while (blocks_.blocks_free() < sequence.blocks_missing(positions) && !released_.empty()) {
      Sequence& oldest = released_.front().sequence;
      oldest.cut_last_block();
      if (oldest.size() == 0) released_.pop_front();
    }
    sequence.reserve(positions);
  }

  /// Unknown sequences are ignored.
  void release(SequenceId id, Owner of = nullptr) {
    const auto own = sequences_.find(of);
    if (own == sequences_.end()) return;
    const auto found = own->second.find(id);
    if (found == own->second.end()) return;
    if (const Sequence& sequence = found->second; sequence.size() > 0) {
      released_.emplace_back(of, blocks_, sequence.size())
          .sequence.share_prefix(sequence, sequence.size());
      if (released_.size() > kReleased) released_.pop_front();
    }
    own->second.erase(found);
  }

  /// Forgets the sequences of one owner.
  void clear(Owner of = nullptr) {
    sequences_.erase(of);
    forget_released(of);
  }

  /// Keys and values of one owner no longer belong to its weights.
  void forget_computed(Owner of = nullptr) {
    if (const auto own = sequences_.find(of); own != sequences_.end())
      for (auto& [id, sequence] : own->second) sequence.cut(0);
    forget_released(of);
  }
  /// The same of all owners.
  void forget_all_computed() {
    for (auto& [of, own] : sequences_)
      for (auto& [id, sequence] : own) sequence.cut(0);
    released_.clear();
  }

 private:
  struct Released {
    Released(Owner owner, KeyValueCache<T>& blocks, std::size_t most)
        : of(owner), sequence(blocks, most) {}
    Owner of;
    Sequence sequence;
  };

  void forget_released(Owner of) {
    released_.remove_if([&](const Released& released) { return released.of == of; });
  }

  std::size_t most_;
  std::uint64_t reused_ = 0;
  KeyValueCache<T> blocks_;
  // After the blocks that they hold.
  std::unordered_map<Owner, std::unordered_map<SequenceId, Sequence>> sequences_;
  std::list<Released> released_;  // the oldest first
};

}  // namespace dualagent::detail
