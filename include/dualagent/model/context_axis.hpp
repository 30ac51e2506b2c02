#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "dualagent/collective/context_parallel.hpp"
#include "dualagent/collective/mesh.hpp"
#include "dualagent/collective/on_first_rank.hpp"
#include "dualagent/core/crc64.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/kernels/mask.inl"
#include "dualagent/kernels/matrix.inl"
#include "dualagent/model/model_axis.hpp"
#include "dualagent/model/model_slice.hpp"
#include "dualagent/trace/batch_columns.hpp"

namespace dualagent::detail {

/// Which positions of a row of `tokens` rank `rank` of a context axis has: of 2 * ranks equal
/// pieces the one at its number and the one as far from the end. A query sees all earlier keys, so
/// that an early piece is little work and a late one much: together every rank has about as much.
/// Example: 8 tokens, 2 ranks: [0, 2) and [6, 8); [2, 4) and [4, 6).
inline std::array<Shard, 2> context_pieces(std::size_t tokens, std::size_t rank,
                                           std::size_t ranks) {
  return {shard_of(tokens, rank, 2 * ranks), shard_of(tokens, 2 * ranks - 1 - rank, 2 * ranks)};
}

/// A rank's place among those that divide every row of a batch, beside its place on the tensor
/// axis, and the sums over both.
///
/// All ranks have the batch's columns; activations are those of a rank's own tokens, which predict
/// the tokens that follow them.
/// Determinism: as the collectives.
template <class Context, class Tensor>
class ModelAxis<ContextParallel<Context, Tensor>> : public ModelAxis<Tensor> {
 public:
  static constexpr bool kSplit = ContextParallel<Context, Tensor>::kSplitsModel;
  static constexpr bool kDividesRows = true;

  ModelAxis(ContextParallel<Context, Tensor>& ranks, const ModelSlice& slice)
      : ModelAxis<Tensor>(ranks.tensor_axis(), slice), context_(&ranks.context_axis()) {}

  std::size_t context_rank() const { return context_->rank(); }
  std::size_t context_ranks() const { return context_->size(); }

  /// See WholeRows.
  std::array<Shard, 2> pieces(std::size_t tokens) const {
    return context_pieces(tokens, context_rank(), context_ranks());
  }
  std::size_t most_tokens(std::size_t tokens) const {
    std::size_t most = 0;
    for (std::size_t rank = 0; rank < context_ranks(); ++rank) {
      const auto [early, late] = context_pieces(tokens, rank, context_ranks());
      most = std::max(most, early.size() + late.size());
    }
    return most;
  }
  /// Errors: what it throws here, and on the other ranks of the context axis an Error that says so.
  template <class Work>
  void on_all_parts(Work&& work) const {
    on_all_ranks(*context_, work);
  }

  /// Over the ranks that have other tokens.
  template <class T>
  void sum_over_context(std::span<T> values) const {
    if (!values.empty()) context_->all_reduce_sum(values);
  }
  template <class T>
  void sum_over_context(Matrix<T> rows) const {
    sum_over_context(std::span<T>(rows.data, rows.rows * rows.stride));
  }

  /// Errors: Error on every rank of the context axis whose batch has other rows than that of rank
  /// 0.
  void require_same(const BatchColumns& batch) const {
    Crc64 crc;
    crc.update(std::as_bytes(std::span(batch.row_begin, batch.rows + 1)));
    crc.update(std::as_bytes(std::span(batch.token, batch.size())));
    crc.update(std::as_bytes(std::span(batch.loss_weight, batch.size())));
    const std::size_t other = first_other_bits(*context_, crc.value());
    if (other < context_ranks())
      throw Error("ranks 0 and " + std::to_string(other) +
                      " of the context axis were given different batches",
                  "rank " + std::to_string(context_rank()) + " of the context axis",
                  "Give the ranks of a ContextParallel the same rows; each takes its tokens");
  }

  /// Writes what the ranks have found for their trained tokens on all of them.
  void share(const BatchColumns& batch, const OutputColumns& outputs) const {
    std::vector<double> found;
    for (double* const column :
         {outputs.log_prob, outputs.entropy, outputs.value, outputs.loss, outputs.d_log_prob}) {
      if (column == nullptr) continue;
      found.assign(batch.size(), -0.0);  // added to any number it leaves its bits
      for_each_own(batch, [&](std::size_t t) { found[t] = column[t]; });
      sum_over_context(std::span<double>(found));
      for (std::size_t t = 0; t < batch.size(); ++t)
        if (kernels::is_trained(batch.loss_weight[t])) column[t] = found[t];
    }
  }

 private:
  /// Calls visit(t) for the trained tokens that this rank predicts.
  template <class Visitor>
  void for_each_own(const BatchColumns& batch, Visitor&& visit) const {
    for (std::size_t row = 0; row < batch.rows; ++row)
      for (const Shard& piece : pieces(batch.row_size(row)))
        for (std::size_t i = piece.begin; i < piece.end; ++i) {
          const std::size_t t = batch.row_begin[row] + i + 1;
          if (t < batch.row_begin[row + 1] && kernels::is_trained(batch.loss_weight[t])) visit(t);
        }
  }

  Context* context_;
};

}  // namespace dualagent::detail
