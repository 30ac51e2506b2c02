#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "dualagent/core/aligned_vector.hpp"
#include "dualagent/core/types.hpp"
#include "dualagent/model/panels.hpp"
#include "dualagent/model/transformer_config.hpp"

namespace dualagent::detail {

/// Keys and values of a model's sequences, in blocks of kPositions positions of all layers.
///
/// A block is counted: it may belong to several sequences that begin alike, and is free when the
/// last one has released it. Free blocks are kept for the next sequence that needs one, so that
/// memory is that of the most blocks that were in use together.
/// What a layer reads of one position lies together for all heads, so that decoding streams through
/// memory: of each layer the keys [positions in panels, heads, head_dim, lanes], then the values
/// [positions, heads, head_dim].
/// Blocks are taken, held and released by one thread at a time; different blocks are written, and
/// all read, from any thread. Must outlive its blocks' holders. Not copyable.
template <class T>
class KeyValueCache {
 public:
  static constexpr std::size_t kPositions = 64;
  static_assert(kPositions % kernels::kPanelLanes<T> == 0);

  struct Block {
    AlignedVector<T> data;
    std::array<Token, kPositions> tokens{};
    std::size_t holders = 0;
  };

  explicit KeyValueCache(const TransformerConfig& config)
      : layers_(config.num_hidden_layers),
        dim_(config.head_dim),
        row_(config.num_key_value_heads * dim_) {}
  KeyValueCache(const KeyValueCache&) = delete;
  KeyValueCache& operator=(const KeyValueCache&) = delete;

  /// A block that the caller alone holds; what it contains is not specified.
  Block* take() {
    if (free_.empty()) {
      auto made = std::make_unique<Block>();
      made->data.resize(2 * layers_ * row_ * kPositions);
      free_.reserve(blocks_.size() + 1);  // so that letting go never allocates
      blocks_.push_back(std::move(made));
      free_.push_back(blocks_.back().get());
    }
    Block* const block = free_.back();
    free_.pop_back();
    block->holders = 1;
    return block;
  }
  static Block* hold(Block* block) {
    ++block->holders;
    return block;
  }
  void let_go(Block* block) noexcept {
    if (--block->holders == 0) free_.push_back(block);
  }

  std::size_t blocks_in_use() const { return blocks_.size() - free_.size(); }
  std::size_t blocks_allocated() const { return blocks_.size(); }
  std::size_t blocks_free() const { return free_.size(); }
  std::size_t bytes_per_token() const { return 2 * layers_ * row_ * sizeof(T); }

  /// Elements from one head's keys, or values, to the next head's.
  std::size_t next_key_head() const { return dim_ * kernels::kPanelLanes<T>; }
  std::size_t next_value_head() const { return dim_; }

  Panels<T> keys(const Block& block, std::size_t layer, std::size_t head) const {
    return {block.data.data() + 2 * layer * row_ * kPositions + head * next_key_head(), dim_,
            kPositions, row_ * kernels::kPanelLanes<T>};
  }
  Matrix<const T> values(const Block& block, std::size_t layer, std::size_t head) const {
    return {block.data.data() + (2 * layer + 1) * row_ * kPositions + head * next_value_head(),
            kPositions, dim_, row_};
  }

  /// Writes keys and values [heads, head_dim] of position `index` of the block.
  void write(Block& block, std::size_t layer, std::size_t index, const T* keys,
             const T* values) const {
    constexpr std::size_t kWidth = kernels::kPanelLanes<T>;
    T* const begin = block.data.data() + 2 * layer * row_ * kPositions;
    T* const to = begin + index / kWidth * row_ * kWidth + index % kWidth;
    for (std::size_t i = 0; i < row_; ++i) to[i * kWidth] = keys[i];
    std::copy_n(values, row_, begin + (kPositions + index) * row_);
  }

 private:
  std::size_t layers_, dim_, row_;  // row_: kv heads * head_dim
  std::vector<std::unique_ptr<Block>> blocks_;
  std::vector<Block*> free_;
};

/// One sequence's tokens and the blocks that hold their keys and values.
///
/// `reserve`, `share_prefix` and `cut` change the cache and run on one thread at a time; `write`
/// and `append` may run beside those of other sequences.
template <class T>
class CachedSequence {
 public:
  using Cache = KeyValueCache<T>;

  /// Allocates nothing later for up to `most` positions, apart from blocks.
  CachedSequence(Cache& cache, std::size_t most) : cache_(&cache) {
    blocks_.reserve(blocks_for(most));
  }
  ~CachedSequence() { cut(0); }
  CachedSequence(const CachedSequence&) = delete;
  CachedSequence& operator=(const CachedSequence&) = delete;

  /// Number of tokens whose keys and values are in the blocks.
  std::size_t size() const { return size_; }

  /// Positions that its blocks have room for.
  std::size_t capacity() const { return blocks_.size() * Cache::kPositions; }

  /// Number of tokens that the sequence and a context begin with alike.
  std::size_t common_prefix(std::span<const Token> context) const {
    const std::size_t most = std::min(size_, context.size());
    std::size_t n = 0;
    while (n < most && blocks_[n / Cache::kPositions]->tokens[n % Cache::kPositions] == context[n])
      ++n;
    return n;
  }

  /// Forgets all but the first `count` tokens, and releases the blocks beyond them.
  void cut(std::size_t count) noexcept {
    size_ = std::min(count, size_);
    for (; blocks_.size() > blocks_for(size_); blocks_.pop_back()) cache_->let_go(blocks_.back());
  }

  /// Forgets the tokens of its last block, and releases it.
  void cut_last_block() noexcept {
    if (size_ > 0) cut((size_ - 1) / Cache::kPositions * Cache::kPositions);
  }

  /// Takes the first `count` tokens of another sequence, by holding its blocks.
  void share_prefix(const CachedSequence& other, std::size_t count) {
    cut(0);
    for (std::size_t i = 0; i < blocks_for(count); ++i)
      blocks_.push_back(Cache::hold(other.blocks_[i]));
    size_ = count;
  }

  /// Blocks that `reserve` would take.
  std::size_t blocks_missing(std::size_t positions) const {
    const std::size_t wanted = blocks_for(positions);
    return (wanted > blocks_.size() ? wanted - blocks_.size() : 0) + (begins_in_shared() ? 1 : 0);
  }

  /// Makes the positions from size() to `positions` writable: takes blocks for them, and
  /// copies the block that they begin in if another sequence holds it, too.
  void reserve(std::size_t positions) {
    if (begins_in_shared()) {
      const std::size_t first = size_ / Cache::kPositions;
      typename Cache::Block* const copy = cache_->take();
      copy->data = blocks_[first]->data;
      copy->tokens = blocks_[first]->tokens;
      cache_->let_go(std::exchange(blocks_[first], copy));
    }
    while (blocks_.size() < blocks_for(positions)) blocks_.push_back(cache_->take());
  }

  /// Writes keys and values [heads, head_dim] of a reserved position.
  void write(std::size_t layer, std::size_t position, const T* keys, const T* values) {
    cache_->write(*blocks_[position / Cache::kPositions], layer, position % Cache::kPositions, keys,
                  values);
  }
  /// Says that all layers of the next position were written, for this token.
  void append(Token token) {
    blocks_[size_ / Cache::kPositions]->tokens[size_ % Cache::kPositions] = token;
    ++size_;
  }

  /// One head's keys and values of a layer, a part for each block; see `OnePart`.
  struct Head {
    const CachedSequence* sequence;
    std::size_t layer, head;

    static constexpr std::size_t positions() { return Cache::kPositions; }
    Panels<T> keys(std::size_t part) const {
      return sequence->cache_->keys(*sequence->blocks_[part], layer, head);
    }
    Matrix<const T> values(std::size_t part) const {
      return sequence->cache_->values(*sequence->blocks_[part], layer, head);
    }
    std::size_t next_key_head() const { return sequence->cache_->next_key_head(); }
    std::size_t next_value_head() const { return sequence->cache_->next_value_head(); }
  };
  Head head(std::size_t layer, std::size_t head) const { return {this, layer, head}; }

 private:
  /// Whether the next position lies in a block that another sequence holds, too.
  bool begins_in_shared() const {
    const std::size_t first = size_ / Cache::kPositions;
    return first < blocks_.size() && blocks_[first]->holders > 1;
  }
  static constexpr std::size_t blocks_for(std::size_t positions) {
    return (positions + Cache::kPositions - 1) / Cache::kPositions;
  }

  Cache* cache_;
  std::size_t size_ = 0;
  std::vector<typename Cache::Block*> blocks_;
};

}  // namespace dualagent::detail
