#pragma once

#include <cstddef>
#include <optional>
#include <type_traits>

#include "dualagent/core/aligned_vector.hpp"
#include "dualagent/core/thread_pool.hpp"
#include "dualagent/model/gemm.hpp"
#include "dualagent/model/gemm_bfloat16.hpp"
#include "dualagent/model/gemm_transposed.hpp"
#include "dualagent/model/panels.hpp"

namespace dualagent {

/// What a model's products are made of. Parameters, their gradients and all sums are of the model's
/// own type, which is float with bfloat16.
enum class Precision {
  of_parameters,
  bfloat16,  ///< both factors of every product are rounded to bfloat16
};

/// y = x W^T + b of a model, with W [out, in] and, where there is one, b [out] in the model's flat
/// parameters.
///
/// Shapes: x [rows, in], y [rows, out]. Products take W from the parameters; once `refresh` has
/// made a copy of W^T in panels, from there: faster for few rows of a model that fits in the
/// processor's cache. The copy is made anew by `refresh` after the parameters were written. Bits of
/// a row depend on that row alone, not on the copy or the team.
/// With Precision::bfloat16, of float, the copy is of W rounded, takes half of W's bytes, and must
/// be made; see model/gemm_bfloat16.hpp. Gradients are those of the products as they are computed,
/// from dy rounded as well.
template <class T>
class Linear {
 public:
  Linear() = default;
  /// `weight` and `bias` are offsets in the flat parameters.
  Linear(std::size_t out, std::size_t in, std::size_t weight, std::optional<std::size_t> bias = {},
         Precision precision = Precision::of_parameters)
      : out_(out),
        in_(in),
        weight_(weight),
        bias_(bias),
        rounds_(std::is_same_v<T, float> && precision == Precision::bfloat16) {}

  std::size_t out() const { return out_; }
  std::size_t in() const { return in_; }
  std::size_t weight() const { return weight_; }
  std::optional<std::size_t> bias() const { return bias_; }
  /// The copy of W^T [pairs of in, out] in bfloat16; without data if there is none.
  Panels<Bfloat16Pair> rounded() const {
    if (pairs_.empty()) return {};
    return dense_panels(pairs_.data(), row_pairs(in_), out_);
  }
  /// The copy of W^T [in, out]; without data if there is none.
  Panels<T> transposed() const {
    if (panels_.empty()) return {};
    return dense_panels(panels_.data(), in_, out_);
  }

  /// Makes the copy.
  void refresh(const T* parameters) {
    if (out_ == 0 || in_ == 0) return;  // of a rank without attention
    if constexpr (std::is_same_v<T, float>)
      if (rounds_) {
        pairs_.resize(panels_size<Bfloat16Pair>(row_pairs(in_), out_));
        transpose_to_pairs(dense(parameters + weight_, out_, in_), pairs_.data());
        return;
      }
    panels_.resize(panels_size<T>(in_, out_));
    transpose_to_panels<T>(dense(parameters + weight_, out_, in_), panels_.data());
  }

  /// y = x W^T + b, or y += x W^T + b with Store::accumulate.
  template <Store mode = Store::overwrite>
  void forward(const T* parameters, Matrix<const T> x, Matrix<T> y) const {
    forward_columns<mode>(parameters, x, 0, y);
  }

  /// The same by a team (ThreadPool or SerialExecutor), which shares the columns of y.
  template <Store mode = Store::overwrite, class Team>
  void forward(Team& team, const T* parameters, Matrix<const T> x, Matrix<T> y) const {
    detail::for_each_share(team, out_, kernels::kPanelLanes<T>,
                           [&](std::size_t first, std::size_t n) {
                             forward_columns<mode>(parameters, x, first, y.columns_at(first, n));
                           });
  }

  /// dx = dy W; adds the gradients of W and b to `gradients`, which are laid out as the parameters.
  void backward(const T* parameters, Matrix<const T> x, Matrix<const T> dy, T* gradients,
                Matrix<T> dx) const {
    const Matrix<T> d_weight = dense(gradients + weight_, out_, in_);
    const Matrix<const T> d = as_factor(dy);
    if constexpr (std::is_same_v<T, float>)
      if (rounds_) gemm_bfloat16<Store::accumulate>(dualagent::transposed(d), x, d_weight);
    if (!rounds_) gemm<Store::accumulate>(dualagent::transposed(d), x, d_weight);
    if (bias_)
      for (std::size_t r = 0; r < dy.rows; ++r)
        for (std::size_t i = 0; i < out_; ++i) gradients[*bias_ + i] += dy.row(r)[i];
    multiply_by_weight(parameters, d, dx);
  }

  /// dx = dy W: what remains where W and b are frozen.
  void backward_input(const T* parameters, Matrix<const T> dy, Matrix<T> dx) const {
    multiply_by_weight(parameters, as_factor(dy), dx);
  }

 private:
  /// x as a product takes it: rounded, in memory that this thread keeps, or itself.
  Matrix<const T> as_factor(Matrix<const T> x) const {
    if constexpr (std::is_same_v<T, float>) {
      static thread_local AlignedVector<T> scratch;
      if (rounds_) return rounded_to_bfloat16(x, scratch);
    }
    return x;
  }

  void multiply_by_weight(const T* parameters, Matrix<const T> d, Matrix<T> dx) const {
    const Matrix<const T> weight = dense(parameters + weight_, out_, in_);
    if constexpr (std::is_same_v<T, float>)
      if (rounds_) return gemm_bfloat16(d, weight, dx);
    gemm(d, weight, dx);
  }

  /// The columns of y from `first` on, a whole number of panels.
  template <Store mode>
  void forward_columns(const T* parameters, Matrix<const T> x, std::size_t first,
                       Matrix<T> y) const {
    if (rounds_)
      multiply_rounded<mode>(x, first, y);
    else if (panels_.empty())
      gemm_transposed<mode>(x, dense(parameters + weight_ + first * in_, y.columns, in_), y);
    else
      gemm<mode>(x, transposed().columns_at(first, y.columns), y);
    if (!bias_) return;
    const T* const bias = parameters + *bias_ + first;
    for (std::size_t r = 0; r < y.rows; ++r)
      for (std::size_t i = 0; i < y.columns; ++i) y.row(r)[i] += bias[i];
  }

  template <Store mode>
  void multiply_rounded(Matrix<const T> x, std::size_t first, Matrix<T> y) const {
    if constexpr (std::is_same_v<T, float>)
      gemm<mode>(as_factor(x), rounded().columns_at(first, y.columns), y);
  }

  std::size_t out_ = 0, in_ = 0, weight_ = 0;
  std::optional<std::size_t> bias_;
  bool rounds_ = false;                // to bfloat16
  AlignedVector<T> panels_;            // or nothing
  AlignedVector<Bfloat16Pair> pairs_;  // or nothing
};

}  // namespace dualagent
