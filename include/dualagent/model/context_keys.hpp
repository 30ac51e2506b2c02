#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <span>
#include <utility>

#include "dualagent/core/aligned_vector.hpp"
#include "dualagent/model/attention.hpp"

namespace dualagent::detail {

/// Keys and values of all positions of one layer, on each of the ranks that have rows of them, and
/// the way of their gradients back to these ranks.
///
/// They are gathered whole before a query looks at them, in the order of positions, so that every
/// row is computed as on one rank, with its bits; merging partial sums as blocks arrive would round
/// otherwise than sampling does. Gathering is as Llama 3 is trained (Grattafiori et al., 2024,
/// section 3.3.2): with grouped queries they are few numbers beside the activations.
/// Memory: of one layer at a time, 2 * tokens * (k + v) elements.
template <class T>
class ContextKeys {
 public:
  /// What was gathered belongs to no layer any more.
  void forget() { layer_ = kNone; }

  /// Of `layer`, [places, k + v], from rows qkv of this rank, which are at places[i] among all
  /// `count`. They are gathered unless they are the last that were; all ranks ask alike.
  template <class Axis>
  Matrix<const T> gather(const Axis& axis, const HeadLayout& layout, std::size_t layer,
                         std::span<const std::size_t> places, std::size_t count,
                         Matrix<const T> qkv) {
    const Matrix<T> all = room(all_, layout, count);
    if (std::exchange(layer_, layer) == layer) return all;
    // Added to any number -0 leaves its bits.
    std::fill_n(all.data, all.rows * all.columns, T{-0.0F});
    for (std::size_t i = 0; i < qkv.rows; ++i)
      std::copy_n(qkv.row(i) + layout.heads * layout.dim, all.columns, all.row(places[i]));
    axis.sum_over_context(all);
    return all;
  }

  /// Where a rank adds what its queries give to gradients of all keys and values; 0 at first.
  Matrix<T> gradients(const HeadLayout& layout, std::size_t count) {
    const Matrix<T> all = room(d_all_, layout, count);
    std::fill_n(all.data, all.rows * all.columns, T{0});
    return all;
  }
  /// Sums them over the ranks and copies those of this rank's rows to d_qkv.
  template <class Axis>
  void return_gradients(const Axis& axis, const HeadLayout& layout,
                        std::span<const std::size_t> places, Matrix<T> d_all, Matrix<T> d_qkv) {
    axis.sum_over_context(d_all);
    for (std::size_t i = 0; i < d_qkv.rows; ++i)
      std::copy_n(d_all.row(places[i]), d_all.columns, d_qkv.row(i) + layout.heads * layout.dim);
  }

 private:
  static constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();

  static Matrix<T> room(AlignedVector<T>& buffer, const HeadLayout& layout, std::size_t count) {
    const std::size_t width = 2 * layout.kv_heads * layout.dim;
    grow(buffer, count * width);
    return dense(buffer.data(), count, width);
  }

  std::size_t layer_ = kNone;
  AlignedVector<T> all_, d_all_;
};

}  // namespace dualagent::detail
