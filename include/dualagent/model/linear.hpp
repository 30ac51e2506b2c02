#pragma once

#include <cstddef>
#include <optional>

#include "dualagent/core/aligned_vector.hpp"
#include "dualagent/core/thread_pool.hpp"
#include "dualagent/model/gemm.hpp"
#include "dualagent/model/gemm_transposed.hpp"
#include "dualagent/model/panels.hpp"

namespace dualagent {

/// y = x W^T + b of a model, with W [out, in] and, where there is one, b [out] in the model's flat
/// parameters.
///
/// Shapes: x [rows, in], y [rows, out]. Products take W from the parameters; once `refresh` has
/// made a copy of W^T in panels, from there: faster for few rows of a model that fits in the
/// processor's cache. The copy is made anew by `refresh` after the parameters were written. Bits of
/// a row depend on that row alone, not on the copy or the team.
template <class T>
class Linear {
 public:
  Linear() = default;
  /// `weight` and `bias` are offsets in the flat parameters.
  Linear(std::size_t out, std::size_t in, std::size_t weight, std::optional<std::size_t> bias = {})
      : out_(out), in_(in), weight_(weight), bias_(bias) {}

  std::size_t out() const { return out_; }
  std::size_t in() const { return in_; }
  std::size_t weight() const { return weight_; }
  std::optional<std::size_t> bias() const { return bias_; }
  /// The copy of W^T [in, out]; without data if there is none.
  Panels<T> transposed() const {
    if (panels_.empty()) return {};
    return {panels_.data(), in_, out_, in_ * kernels::kLanes<T>};
  }

  /// Makes the copy.
  void refresh(const T* parameters) {
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
    detail::for_each_share(team, out_, kernels::kLanes<T>, [&](std::size_t first, std::size_t n) {
      forward_columns<mode>(parameters, x, first, y.columns_at(first, n));
    });
  }

  /// dx = dy W; adds the gradients of W and b to `gradients`, which are laid out as the parameters.
  void backward(const T* parameters, Matrix<const T> x, Matrix<const T> dy, T* gradients,
                Matrix<T> dx) const {
    gemm<Store::accumulate>(dualagent::transposed(dy), x, dense(gradients + weight_, out_, in_));
    if (bias_)
      for (std::size_t r = 0; r < dy.rows; ++r)
        for (std::size_t i = 0; i < out_; ++i) gradients[*bias_ + i] += dy.row(r)[i];
    backward_input(parameters, dy, dx);
  }

  /// dx = dy W: what remains where W and b are frozen.
  void backward_input(const T* parameters, Matrix<const T> dy, Matrix<T> dx) const {
    gemm(dy, dense(parameters + weight_, out_, in_), dx);
  }

 private:
  /// The columns of y from `first` on, a multiple of the lanes.
  template <Store mode>
  void forward_columns(const T* parameters, Matrix<const T> x, std::size_t first,
                       Matrix<T> y) const {
    if (panels_.empty())
      gemm_transposed<mode>(x, dense(parameters + weight_ + first * in_, y.columns, in_), y);
    else
      gemm<mode>(x, transposed().columns_at(first, y.columns), y);
    if (!bias_) return;
    const T* const bias = parameters + *bias_ + first;
    for (std::size_t r = 0; r < y.rows; ++r)
      for (std::size_t i = 0; i < y.columns; ++i) y.row(r)[i] += bias[i];
  }

  std::size_t out_ = 0, in_ = 0, weight_ = 0;
  std::optional<std::size_t> bias_;
  AlignedVector<T> panels_;  // or nothing
};

}  // namespace dualagent
