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

namespace detail {

/// Asks for what a walk along a matrix's rows, a vector of rows at a time, reads next: the lines a
/// little further in the rows from `row` on, or where the next ones begin.
template <class T>
[[gnu::always_inline]] inline void prefetch_rows(Matrix<const T> m, std::size_t row,
                                                 std::size_t column) {
  constexpr std::size_t kAhead = 256 / sizeof(T);
  const T* next = m.row(row) + column + kAhead;
  if (column + kAhead >= m.columns) next += kernels::kLanes<T> * m.stride - m.columns;
#pragma GCC unroll 16
  for (std::size_t r = 0; r < kernels::kLanes<T>; ++r) __builtin_prefetch(next + r * m.stride);
}

}  // namespace detail

/// Copies the transpose of a matrix into panels at `to`, with zeros beyond its last column.
template <class T>
Panels<T> transpose_to_panels(std::type_identity_t<Matrix<const T>> from, T* to) {
  constexpr std::size_t kLanes = kernels::kLanes<T>;
  constexpr std::size_t kPiece = kernels::kPiece<T>;
  T* panel = to;
  for (std::size_t first = 0; first < from.rows; first += kLanes, panel += from.columns * kLanes) {
    const Matrix<const T> rows = from.rows_at(first, std::min(kLanes, from.rows - first));
    if (rows.rows < kLanes) std::fill_n(panel, from.columns * kLanes, T{0});
    std::size_t c = 0;
    for (; rows.rows == kLanes && c + kPiece <= from.columns; c += kPiece) {
      if (c % kLanes == 0) detail::prefetch_rows(from, first, c);
      kernels::Simd<T> columns[kPiece];
      kernels::load_columns(rows.data + c, from.stride, columns);
      for (std::size_t i = 0; i < kPiece; ++i)
        kernels::store<T>(panel + (c + i) * kLanes, columns[i]);
    }
    for (; c < from.columns; ++c)
      for (std::size_t r = 0; r < rows.rows; ++r) panel[c * kLanes + r] = rows.row(r)[c];
  }
  return {to, from.columns, from.rows, from.columns * kLanes};
}

}  // namespace dualagent
