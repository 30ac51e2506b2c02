#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <span>
#include <vector>

#include "dualagent/collective/collective.hpp"
#include "dualagent/collective/mesh.hpp"
#include "dualagent/core/aligned_vector.hpp"
#include "dualagent/core/types.hpp"
#include "dualagent/cpu/policy_loss.inl"
#include "dualagent/kernels/matrix.inl"
#include "dualagent/kernels/simd.inl"
#include "dualagent/model/model_slice.hpp"
#include "dualagent/trace/batch_columns.hpp"

namespace dualagent {

/// A model that several ranks have together: `m.model_axis()` is this rank's handle to them, and
/// `m.slices()`, TensorSlices, says what it has of the whole. Its parameters, gradients and tensors
/// are this rank's parts.
template <class M>
concept OnModelAxis = requires(M& m) {
  { m.model_axis() } -> Collective;
  { m.slices() } -> std::convertible_to<const TensorSlices&>;
};

}  // namespace dualagent

namespace dualagent::detail {

using kernels::Matrix;

/// A rank that has every token of a batch's rows; see the ModelAxis of a ContextParallel
/// (model/context_axis.hpp) for one that has not.
struct WholeRows {
  static constexpr bool kDividesRows = false;

  /// The ranks among which each row is divided.
  static constexpr std::size_t context_ranks() { return 1; }
  /// Which positions of a row of `tokens` are on this rank, and the most that any has.
  static constexpr std::array<Shard, 1> pieces(std::size_t tokens) { return {Shard{0, tokens}}; }
  static constexpr std::size_t most_tokens(std::size_t tokens) { return tokens; }

  /// What ranks that have other tokens must agree in, and tell one another.
  static void require_same(const BatchColumns&) {}
  static void share(const BatchColumns&, const OutputColumns&) {}
  /// Runs work(), which may throw on this rank alone where others have other tokens.
  template <class Work>
  static void on_all_parts(Work&& work) {
    work();
  }
};

/// A rank that has the whole model: whatever would be summed over a model axis is there already.
struct WholeModel : WholeRows {
  static constexpr bool kSplit = false;
};

/// A rank's place on the model axis, and the sums over it.
///
/// Determinism: every rank gets the same bits. Those of a row do not depend on the rows beside it
/// if the collective adds each element in an order that does not depend on its place, as all
/// collectives of the host do.
template <class C>
class ModelAxis : public WholeRows {
 public:
  static constexpr bool kSplit = true;

  ModelAxis(C& collective, const ModelSlice& slice)
      : collective_(&collective), slice_(slice), tokens_(slice.tokens()) {}

  bool is_first() const { return slice_.rank == 0; }
  std::size_t rank() const { return slice_.rank; }
  std::size_t ranks() const { return slice_.ranks; }
  const TransformerConfig& whole() const { return slice_.whole; }
  /// Whose rows of embedding and head this rank has.
  const Shard& tokens() const { return tokens_; }
  /// What rank `rank` has.
  TransformerConfig config_of(std::size_t rank) const {
    return ModelSlice{slice_.whole, rank, slice_.ranks}.config();
  }

  template <class T>
  void sum(std::span<T> values) const {
    if (!values.empty()) collective_->all_reduce_sum(values);
  }
  /// Of rows that follow one another.
  template <class T>
  void sum(Matrix<T> rows) const {
    sum(std::span<T>(rows.data, rows.rows * rows.stride));
  }

 private:
  C* collective_;
  ModelSlice slice_;
  Shard tokens_;
};

/// Of the config that is whole on all ranks.
template <class Axis>
const TransformerConfig& whole_config(const Axis& axis, const TransformerConfig& mine) {
  if constexpr (Axis::kSplit)
    return axis.whole();
  else
    return mine;
}

/// Rows of logits whose columns are spread over a model axis: log-softmax with entropy, and what
/// the ranks need of one another's columns. Two sums over the axis for a block of rows.
template <class T>
class SplitLogits {
 public:
  /// Replaces logits [rows, this rank's tokens] by z as cpu::log_softmax_row of whole rows would,
  /// bit by bit. `inverse_temperature` [rows]; `target` [rows] or empty: tokens whose z is wanted.
  template <class Axis>
  void log_softmax(const Axis& axis, Matrix<T> logits, std::span<const T> inverse_temperature,
                   std::span<const Token> target) {
    find_tops(axis, logits);
    numbers_.assign(3 * logits.rows, T{0});
    for (std::size_t r = 0; r < logits.rows; ++r) {
      const cpu::ExpSums<T> sums = cpu::exp_sums<T>(logits.columns, rows_[r].top,
                                                    inverse_temperature[r], logits.row(r), nullptr);
      numbers_[3 * r] = sums.sum;
      numbers_[3 * r + 1] = sums.weighted;
      if (const std::size_t at = own_index(axis, target, r); at < logits.columns)
        numbers_[3 * r + 2] = logits.row(r)[at];
    }
    axis.sum(std::span<T>(numbers_));
    for (std::size_t r = 0; r < logits.rows; ++r)
      rows_[r] = cpu::logits_row(rows_[r].top, {numbers_[3 * r], numbers_[3 * r + 1]});
  }

  /// Of the whole row.
  const cpu::LogitsRow<T>& row(std::size_t r) const { return rows_[r]; }
  T z_of_target(std::size_t r) const { return numbers_[3 * r + 2]; }

  /// Column of a row's target on this rank; beyond the columns where another rank has it.
  template <class Axis>
  static std::size_t own_index(const Axis& axis, std::span<const Token> target, std::size_t r) {
    if (target.empty()) return axis.tokens().size();
    return static_cast<std::size_t>(target[r]) - axis.tokens().begin;  // wraps below it
  }

  /// All columns of the rows on every rank.
  template <class Axis>
  Matrix<T> gather(const Axis& axis, Matrix<const T> part) {
    const std::size_t width = kernels::padded<T>(axis.whole().vocab_size);
    gathered_.assign(part.rows * width, T{-0.0F});
    const Matrix<T> all{gathered_.data(), part.rows, axis.whole().vocab_size, width};
    for (std::size_t r = 0; r < part.rows; ++r)
      std::copy_n(part.row(r), part.columns, all.row(r) + axis.tokens().begin);
    axis.sum(all);
    return all;
  }

 private:
  template <class Axis>
  void find_tops(const Axis& axis, Matrix<T> logits) {
    const std::size_t rows = logits.rows;
    numbers_.assign(axis.ranks() * rows, T{0});  // [ranks, rows]
    for (std::size_t r = 0; r < rows; ++r)
      numbers_[axis.rank() * rows + r] = cpu::largest<T>(logits.columns, logits.row(r));
    axis.sum(std::span<T>(numbers_));
    rows_.resize(rows);
    for (std::size_t r = 0; r < rows; ++r) {
      rows_[r].top = numbers_[r];
      for (std::size_t rank = 1; rank < axis.ranks(); ++rank)
        rows_[r].top = std::max(rows_[r].top, numbers_[rank * rows + r]);
    }
  }

  std::vector<cpu::LogitsRow<T>> rows_;
  std::vector<T> numbers_;
  AlignedVector<T> gathered_;  // [rows, whole vocabulary padded]
};

}  // namespace dualagent::detail
