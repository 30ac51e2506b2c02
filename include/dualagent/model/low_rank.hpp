#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dualagent/core/aligned_vector.hpp"
#include "dualagent/core/check.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/model/architecture.hpp"
#include "dualagent/model/gemm.hpp"
#include "dualagent/model/gemm_transposed.hpp"
#include "dualagent/model/panels.hpp"

namespace dualagent {

/// Which projections of a model an adapter changes, and how much: y += scale x A^T B^T beside
/// y = x W^T, with A [rank, in] and B [out, rank].
///
/// Source: Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2021; PEFT's
/// LoraConfig. Example: LowRank{.rank = 8, .alpha = 16, .targets = {TensorRole::query,
/// TensorRole::value}}
struct LowRank {
  std::size_t rank = 16;
  double alpha = 32;             ///< the scale is alpha / rank
  bool rank_stabilized = false;  ///< the scale is alpha / sqrt(rank); PEFT's use_rslora
  /// Projections of every layer, each once.
  std::vector<TensorRole> targets = {
      TensorRole::query, TensorRole::key, TensorRole::value, TensorRole::attention_output,
      TensorRole::gate,  TensorRole::up,  TensorRole::down};
  /// Of A, which begins uniform in +-1 / sqrt(in) as in PEFT; B begins 0, so that the adapted model
  /// says what the base says. Nothing: A is 0 as well, and is going to be written.
  std::optional<std::uint64_t> seed = 0;

  double scale() const {
    const auto r = static_cast<double>(rank);
    return alpha / (rank_stabilized ? std::sqrt(r) : r);
  }
  bool changes(TensorRole role) const {
    return std::find(targets.begin(), targets.end(), role) != targets.end();
  }

  /// Errors: Error naming an option that cannot be meant.
  void validate() const {
    require_option(rank, {1, 65536}, "rank", "LowRank");
    require_option(alpha, {1e-30, 1e30}, "alpha", "LowRank");  // a float holds alpha / rank
    if (targets.empty())
      throw Error("an adapter needs a projection to change", "LowRank",
                  "Give some of query, key, value, attention_output, gate, up, down");
    for (const TensorRole role : targets) {
      if (!is_projection(role))
        throw Error(std::string(to_string(role)) + " is not a projection of a layer", "LowRank",
                    "Give some of query, key, value, attention_output, gate, up, down");
      if (std::count(targets.begin(), targets.end(), role) > 1)
        throw Error(std::string(to_string(role)) + " is named twice", "LowRank");
    }
  }
};

namespace detail {

/// What an adapter adds to one product y = x W^T, whose outputs may be several projections side by
/// side, each with an A and a B of its own in the adapter's flat parameters. The As follow one
/// another, so that they are one matrix [width, in].
///
/// Bits of a row depend on that row alone; y is read, and each sum of the adapter is added to it.
template <class T>
class LowRankProduct {
 public:
  struct Projection {
    std::size_t first, out;  // outputs [first, first + out) of the product
    std::size_t b;           // offset of B [out, rank]
  };

  LowRankProduct() = default;
  /// `a` is the offset of the first A.
  LowRankProduct(std::size_t in, std::size_t rank, double scale, std::size_t a,
                 std::vector<Projection> projections)
      : in_(in),
        rank_(rank),
        a_(a),
        scale_(static_cast<T>(scale)),
        projections_(std::move(projections)),
        b_panels_(projections_.size()) {}

  bool empty() const { return projections_.empty(); }
  std::size_t width() const { return rank_ * projections_.size(); }

  /// Makes copies of A and B in panels from the adapter's parameters, or makes them anew: faster
  /// for few rows, the same bits.
  void refresh(const T* parameters) {
    a_panels_.resize(panels_size<T>(in_, width()));
    transpose_to_panels<T>(a(parameters), a_panels_.data());
    for (std::size_t p = 0; p < projections_.size(); ++p) {
      b_panels_[p].resize(panels_size<T>(rank_, projections_[p].out));
      transpose_to_panels<T>(b(parameters, p), b_panels_[p].data());
    }
  }

  /// Leaves scale x A^T [rows, width] in `reduced`.
  Matrix<T> reduce(const T* parameters, Matrix<const T> x, AlignedVector<T>& reduced) const {
    const Matrix<T> low = matrix_of(reduced, x.rows);
    multiply_transposed<Store::overwrite>(x, a(parameters), a_panels_, low);
    multiply(low, scale_);
    return low;
  }

  /// y [rows, outputs] += scale x A^T B^T, after `reduce`.
  void forward(const T* parameters, Matrix<const T> x, Matrix<T> y,
               AlignedVector<T>& reduced) const {
    const Matrix<T> low = reduce(parameters, x, reduced);
    for (std::size_t p = 0; p < projections_.size(); ++p)
      multiply_transposed<Store::accumulate>(
          part(low, p), b(parameters, p), b_panels_[p],
          y.columns_at(projections_[p].first, projections_[p].out));
  }

  /// Adds to dx and to the gradients of A and B, which lie as the parameters do. `reduced` is what
  /// `forward` left for these rows.
  void backward(const T* parameters, Matrix<const T> x, AlignedVector<T>& reduced,
                Matrix<const T> dy, T* gradients, Matrix<T> dx, AlignedVector<T>& scratch) const {
    const Matrix<T> low = matrix_of(reduced, x.rows);
    const Matrix<T> d_low = matrix_of(scratch, x.rows);
    for (std::size_t p = 0; p < projections_.size(); ++p) {
      const auto [first, out, offset] = projections_[p];
      const Matrix<const T> d = dy.columns_at(first, out);
      gemm<Store::accumulate>(transposed(d), part(low, p), dense(gradients + offset, out, rank_));
      gemm(d, b(parameters, p), part(d_low, p));
    }
    multiply(d_low, scale_);
    gemm<Store::accumulate>(transposed(d_low), x, dense(gradients + a_, width(), in_));
    gemm<Store::accumulate>(d_low, a(parameters), dx);
  }

  /// weights [outputs, in] += scale B A.
  void merge(const T* parameters, Matrix<T> weights) const {
    for (std::size_t p = 0; p < projections_.size(); ++p) {
      const Projection& to = projections_[p];
      AlignedVector<T> scaled(parameters + to.b, parameters + to.b + to.out * rank_);
      const Matrix<T> left = dense(scaled.data(), to.out, rank_);
      multiply(left, scale_);
      gemm<Store::accumulate>(left, a(parameters).rows_at(p * rank_, rank_),
                              weights.rows_at(to.first, to.out));
    }
  }

 private:
  static void multiply(Matrix<T> m, T factor) {
    for (std::size_t r = 0; r < m.rows; ++r)
      for (std::size_t i = 0; i < m.columns; ++i) m.row(r)[i] *= factor;
  }
  /// y = x w^T, by the copy of w^T where there is one.
  template <Store mode>
  static void multiply_transposed(Matrix<const T> x, Matrix<const T> w,
                                  const AlignedVector<T>& panels, Matrix<T> y) {
    if (panels.empty())
      gemm_transposed<mode>(x, w, y);
    else
      gemm<mode>(x, dense_panels(panels.data(), w.columns, w.rows), y);
  }
  Matrix<T> matrix_of(AlignedVector<T>& buffer, std::size_t rows) const {
    grow(buffer, rows * width());
    return dense(buffer.data(), rows, width());
  }
  Matrix<T> part(Matrix<T> low, std::size_t p) const { return low.columns_at(p * rank_, rank_); }
  Matrix<const T> a(const T* parameters) const { return dense(parameters + a_, width(), in_); }
  Matrix<const T> b(const T* parameters, std::size_t p) const {
    return dense(parameters + projections_[p].b, projections_[p].out, rank_);
  }

  std::size_t in_ = 0, rank_ = 0, a_ = 0;
  T scale_{};
  std::vector<Projection> projections_;
  AlignedVector<T> a_panels_;               // A^T [in, width], or nothing
  std::vector<AlignedVector<T>> b_panels_;  // B^T [rank, out] of each, or nothing
};

}  // namespace detail

}  // namespace dualagent
