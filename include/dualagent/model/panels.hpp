#pragma once

#include <algorithm>
#include <cstddef>
#include <type_traits>

#include "dualagent/core/aligned_vector.hpp"
#include "dualagent/cpu/policy_loss.inl"
#include "dualagent/kernels/matrix.inl"
#include "dualagent/kernels/simd.inl"

namespace dualagent {

using kernels::dense;
using kernels::Matrix;

/// A matrix [rows, columns] that is kept as panels of one vector of columns, so that a product
/// which has it on the right reads memory in order; element (k, j) is data[j / lanes * stride + k *
/// lanes + j % lanes], stride >= rows * lanes. The last panel is as wide as the others, whatever it
/// holds beyond the last column.
template <class T>
struct Panels {
  const T* data = nullptr;
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::size_t stride = 0;  // elements from panel to panel

  /// The part of `count` columns that begins at `first`, a multiple of the lanes.
  Panels columns_at(std::size_t first, std::size_t count) const {
    return {data + first / kernels::kLanes<T> * stride, rows, count, stride};
  }
};

/// Elements that [rows, columns] takes in panels that follow one another.
template <class T>
constexpr std::size_t panels_size(std::size_t rows, std::size_t columns) {
  return rows * kernels::padded<T>(columns);
}

/// Copies a matrix into panels at `to`, with zeros beyond its last column.
template <class T>
Panels<T> copy_to_panels(std::type_identity_t<Matrix<const T>> from, T* to) {
  constexpr std::size_t kLanes = kernels::kLanes<T>;
  const std::size_t full = from.columns / kLanes * kLanes;
  for (std::size_t k = 0; k < from.rows; ++k) {
    const T* const row = from.row(k);
    T* const at = to + k * kLanes;
    for (std::size_t j = 0; j < full; j += kLanes)
      kernels::store<T>(at + j * from.rows, kernels::load<T>(row + j));
    if (full < from.columns)
      kernels::store<T>(at + full * from.rows,
                        cpu::detail::load_end(row + full, from.columns - full, T{0}));
  }
  return {to, from.rows, from.columns, from.rows * kLanes};
}

/// Copies the transpose of a matrix into panels at `to`, with zeros beyond its last column.
template <class T>
Panels<T> transpose_to_panels(std::type_identity_t<Matrix<const T>> from, T* to) {
  constexpr std::size_t kLanes = kernels::kLanes<T>;
  T* panel = to;
  for (std::size_t first = 0; first < from.rows; first += kLanes, panel += from.columns * kLanes) {
    const Matrix<const T> rows = from.rows_at(first, std::min(kLanes, from.rows - first));
    if (rows.rows < kLanes) std::fill_n(panel, from.columns * kLanes, T{0});
    for (std::size_t r = 0; r < rows.rows; ++r)
      for (std::size_t c = 0; c < from.columns; ++c) panel[c * kLanes + r] = rows.row(r)[c];
  }
  return {to, from.columns, from.rows, from.columns * kLanes};
}

}  // namespace dualagent
