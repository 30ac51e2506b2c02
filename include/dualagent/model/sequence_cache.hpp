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
/// Memory: that of the most blocks that unreleased sequences hold together. Released sequences, the
/// last kReleased, lie in blocks that nobody else wants: these are taken back, from the end of the
/// oldest one, before a new block is allocated.
/// All members run on one thread at a time; see CachedSequence.
template <class T>
class SequenceCache {
 public:
  using Sequence = CachedSequence<T>;
  static constexpr std::size_t kReleased = 64;

  explicit SequenceCache(const TransformerConfig& config)
      : most_(config.max_position_embeddings), blocks_(config) {}

  std::size_t bytes_per_token() const { return blocks_.bytes_per_token(); }
  std::size_t blocks_allocated() const { return blocks_.blocks_allocated(); }
  /// Positions that did not have to be computed.
  std::uint64_t reused() const { return reused_; }

  /// What is kept of the sequence, cut to the prefix that it shares with the context; at least the
  /// last token of the context is left to be computed. Valid until it is released.
  Sequence& open(SequenceId id, std::span<const Token> context) {
    Sequence& sequence = sequences_.try_emplace(id, blocks_, most_).first->second;
    sequence.cut(std::min(sequence.common_prefix(context), context.size() - 1));
    reused_ += sequence.size();
    return sequence;
  }

  /// A sequence, released or not, and the number of tokens that it begins with like a context.
  struct Prefix {
    const Sequence* sequence = nullptr;
    std::size_t size = 0;
  };
  Prefix longest_prefix(std::span<const Token> context) const {
    Prefix best;
    const auto consider = [&](const Sequence& sequence) {
      const std::size_t size = sequence.common_prefix(context);
      if (size > best.size) best = {&sequence, size};
    };
    for (const auto& [id, sequence] : sequences_) consider(sequence);
    for (const Sequence& sequence : released_) consider(sequence);
    return best;
  }
  void share(const Prefix& prefix, Sequence& with) {
    with.share_prefix(*prefix.sequence, prefix.size);
    reused_ += prefix.size;
  }

  /// Makes the positions from the sequence's size to `positions` writable.
  void reserve(Sequence& sequence, std::size_t positions) {
    while (blocks_.blocks_free() < sequence.blocks_missing(positions) && !released_.empty()) {
      Sequence& oldest = released_.front();
      oldest.cut_last_block();
      if (oldest.size() == 0) released_.pop_front();
    }
    sequence.reserve(positions);
  }

  /// Unknown sequences are ignored.
  void release(SequenceId id) {
    const auto found = sequences_.find(id);
    if (found == sequences_.end()) return;
    if (const Sequence& sequence = found->second; sequence.size() > 0) {
      released_.emplace_back(blocks_, sequence.size()).share_prefix(sequence, sequence.size());
      if (released_.size() > kReleased) released_.pop_front();
    }
    sequences_.erase(found);
  }

  /// Forgets all sequences.
  void clear() {
    sequences_.clear();
    released_.clear();
  }

  /// Keys and values no longer belong to the weights.
  void forget_computed() {
    for (auto& [id, sequence] : sequences_) sequence.cut(0);
    released_.clear();
  }

 private:
  std::size_t most_;
  std::uint64_t reused_ = 0;
  KeyValueCache<T> blocks_;
  std::unordered_map<SequenceId, Sequence> sequences_;  // after the blocks that they hold
  std::list<Sequence> released_;                        // the oldest first
};

}  // namespace dualagent::detail
