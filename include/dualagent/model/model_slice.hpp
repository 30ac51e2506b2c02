#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "dualagent/collective/collective.hpp"
#include "dualagent/core/aligned_vector.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/model/architecture.hpp"
#include "dualagent/model/transformer_config.hpp"

namespace dualagent {

/// What a rank of a model axis has of a tensor.
enum class TensorSplit : std::uint8_t {
  none,     ///< all of it, as every other rank: its gradients are equal on all
  outputs,  ///< rows of a matrix [out, in], elements of a bias: a part of what the product computes
  inputs,   ///< columns of a matrix [out, in]: the ranks' products add up
};

/// How a tensor is split. Heads lie on one rank with their queries, keys and values, and so do gate
/// and up of a neuron; what is multiplied with the results adds up over the ranks. Tokens are dealt
/// with their rows of embedding and head. Source: Shoeybi et al., "Megatron-LM", 2019, section 3.
inline TensorSplit split_of(TensorRole role) {
  using enum TensorRole;
  switch (role) {
    case attention_output:
    case down:
      return TensorSplit::inputs;
    case embedding:
    case head:
    case query:
    case key:
    case value:
    case query_bias:
    case key_bias:
    case value_bias:
    case gate:
    case up:
      return TensorSplit::outputs;
    default:  // norms, of single heads too, and the value head
      return TensorSplit::none;
  }
}

/// What rank `rank` of `ranks` has of a model: a contiguous share (`shard_of`) of key-value heads
/// with their query heads, of neurons, and of tokens. Shares may differ by one; a rank beyond the
/// number of key-value heads has no attention.
///
/// Where ranks divide rows as well, `copies` of them have this very part; `copy` is this one's
/// number. What is gathered or counted is that of copy 0.
struct ModelSlice {
  TransformerConfig whole;
  std::size_t rank = 0, ranks = 1;
  std::size_t copy = 0, copies = 1;

  Shard kv_heads() const { return shard_of(whole.num_key_value_heads, rank, ranks); }
  Shard neurons() const { return shard_of(whole.intermediate_size, rank, ranks); }
  Shard tokens() const { return shard_of(whole.vocab_size, rank, ranks); }

  /// The shape of a model that has this rank's part of everything.
  TransformerConfig config() const {
    TransformerConfig mine = whole;
    mine.num_attention_heads =
        whole.num_attention_heads / whole.num_key_value_heads * kv_heads().size();
    mine.num_key_value_heads = kv_heads().size();
    mine.intermediate_size = neurons().size();
    mine.vocab_size = tokens().size();
    return mine;
  }

  /// Errors: as `TransformerConfig::validate`; Error for fewer neurons or tokens than ranks.
  void validate() const {
    whole.validate();
    const auto require = [&](std::size_t extent, const std::string& name) {
      if (extent < ranks)
        throw Error(name + " is " + std::to_string(extent) + ", which " + std::to_string(ranks) +
                        " ranks cannot share",
                    "the model axis", "Use at most " + std::to_string(extent) + " ranks");
    };
    require(whole.intermediate_size, "intermediate_size");
    require(whole.vocab_size, "vocab_size");
  }
};

/// Where the parts of one rank lie in flat arrays of the whole model (parameters, moments), and
/// what brings them there and back.
class TensorSlices {
 public:
  /// A part without gaps, at element offsets.
  struct Run {
    std::size_t tensor = 0;                 // its number
    std::size_t whole = 0;                  // in an array of the whole model
    std::size_t mine = 0, size = 0;         // in one of the rank
    TensorSplit split = TensorSplit::none;  // of the tensor
  };

  /// `whole` and `mine`: the tensors of a model of `slice.whole` and of one of `slice.config()`.
  TensorSlices(const ModelSlice& slice, std::span<const TensorInfo> whole,
               std::span<const TensorInfo> mine)
      : rank_(slice.rank),
        ranks_(slice.ranks),
        copy_(slice.copy),
        copies_(slice.copies),
        tensors_(whole.begin(), whole.end()) {
    size_ = whole.empty() ? 0 : whole.back().offset + whole.back().size;
    own_size_ = mine.empty() ? 0 : mine.back().offset + mine.back().size;
    for (std::size_t i = 0; i < whole.size(); ++i) add(slice, i, mine[i]);
  }

  /// Of the whole model, with its shapes and offsets.
  std::span<const TensorInfo> tensors() const { return tensors_; }
  /// Elements of an array of the whole model, and of one of this rank.
  std::size_t size() const { return size_; }
  std::size_t own_size() const { return own_size_; }
  /// In the order of the arrays.
  std::span<const Run> runs() const { return runs_; }
  /// Whether a sum over all parameters counts them on this rank: what several ranks have counts
  /// once.
  bool counts(const Run& run) const {
    return copy_ == 0 && (rank_ == 0 || run.split != TensorSplit::none);
  }
  /// Parts of the model, each on one rank of every copy, and how many ranks have each part. Rank r
  /// of the model axis has part r % parts().
  std::size_t parts() const { return ranks_; }
  std::size_t copies() const { return copies_; }

  /// mine = this rank's parts of the whole.
  template <class T>
  void take(std::span<const T> whole, std::span<T> mine) const {
    for (const Run& run : runs_) std::copy_n(&whole[run.whole], run.size, &mine[run.mine]);
  }

  /// The whole on rank 0, nothing elsewhere, from every rank's part; all ranks must call it. Bits
  /// stay as they are. Memory: beside the whole, kPiece elements.
  template <class C, class T>
  AlignedVector<T> gather(C& axis, std::span<const T> mine) const {
    const bool first = rank_ == 0 && copy_ == 0;
    AlignedVector<T> whole(first ? size_ : 0);
    AlignedVector<T> piece(std::min(kPiece, size_));
    std::size_t next = 0;  // the first run that does not end before the piece
    for (std::size_t begin = 0; begin < size_; begin += kPiece) {
      const std::size_t end = std::min(begin + kPiece, size_);
      std::fill(piece.begin(), piece.end(), T{-0.0F});  // added to any number it leaves its bits
      while (next < runs_.size() && runs_[next].whole + runs_[next].size <= begin) ++next;
      for (std::size_t r = next; r < runs_.size() && runs_[r].whole < end; ++r) {
        if (!counts(runs_[r])) continue;
        const std::size_t from = std::max(begin, runs_[r].whole);
        const std::size_t until = std::min(end, runs_[r].whole + runs_[r].size);
        std::copy_n(&mine[runs_[r].mine + from - runs_[r].whole], until - from,
                    &piece[from - begin]);
      }
      axis.all_reduce_sum(std::span<T>(piece).first(end - begin));
      if (first) std::copy_n(piece.begin(), end - begin, &whole[begin]);
    }
    return whole;
  }

 private:
  static constexpr std::size_t kPiece = std::size_t{1} << 20;

  /// The share of a tensor's split extent.
  static Shard share_of(const ModelSlice& slice, TensorRole role) {
    using enum TensorRole;
    const std::size_t dim = slice.whole.head_dim;
    const std::size_t group =
        dim * (slice.whole.num_attention_heads / slice.whole.num_key_value_heads);
    const auto times = [](Shard shard, std::size_t n) {
      return Shard{shard.begin * n, shard.end * n};
    };
    switch (role) {
      case query:
      case query_bias:
      case attention_output:
        return times(slice.kv_heads(), group);
      case key:
      case key_bias:
      case value:
      case value_bias:
        return times(slice.kv_heads(), dim);
      case gate:
      case up:
      case down:
        return slice.neurons();
      default:
        return slice.tokens();
    }
  }

  void add(const ModelSlice& slice, std::size_t tensor, const TensorInfo& mine) {
    const TensorInfo& whole = tensors_[tensor];
    const TensorSplit split = split_of(*whole.role);
    if (split == TensorSplit::none)
      return push({tensor, whole.offset, mine.offset, mine.size, split});
    const Shard share = share_of(slice, *whole.role);
    if (split == TensorSplit::outputs) {
      const std::size_t row = whole.size / whole.shape[0];
      return push({tensor, whole.offset + share.begin * row, mine.offset, mine.size, split});
    }
    for (std::size_t r = 0; r < whole.shape[0]; ++r)
      push({tensor, whole.offset + r * whole.shape[1] + share.begin, mine.offset + r * share.size(),
            share.size(), split});
  }
  void push(const Run& run) {
    if (run.size > 0) runs_.push_back(run);
  }

  std::size_t rank_, ranks_, copy_, copies_;
  std::size_t size_ = 0, own_size_ = 0;
  std::vector<TensorInfo> tensors_;
  std::vector<Run> runs_;
};

}  // namespace dualagent
