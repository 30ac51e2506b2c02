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

/// A matrix [rows, columns] that is kept as panels of kernels::kPanelLanes columns, so that a
/// product which has it on the right reads memory in order; element (k, j) is data[j / lanes *
/// stride + k * lanes + j % lanes], stride >= rows * lanes. The last panel is as wide as the
/// others, whatever it holds beyond the last column.
template <class T>
struct Panels {
  const T* data = nullptr;
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::size_t stride = 0;  // elements from panel to panel

  /// The part of `count` columns that begins at `first`, a multiple of the lanes.
  Panels columns_at(std::size_t first, std::size_t count) const {
    return {data + first / kernels::kPanelLanes<T> * stride, rows, count, stride};
  }
};

/// Columns of as many whole panels as hold `columns`.
template <class T>
constexpr std::size_t panels_width(std::size_t columns) {
  constexpr std::size_t kWidth = kernels::kPanelLanes<T>;
  return (columns + kWidth - 1) / kWidth * kWidth;
}

/// Elements that [rows, columns] takes in panels that follow one another.
template <class T>
constexpr std::size_t panels_size(std::size_t rows, std::size_t columns) {
  return rows * panels_width<T>(columns);
}

/// A matrix at `data` in panels that follow one another.
template <class T>
Panels<T> dense_panels(const T* data, std::size_t rows, std::size_t columns) {
  return {data, rows, columns, rows * kernels::kPanelLanes<T>};
}

/// Copies a matrix into panels at `to`, with zeros beyond its last column.
template <class T>
Panels<T> copy_to_panels(std::type_identity_t<Matrix<const T>> from, T* to) {
  constexpr std::size_t kLanes = kernels::kLanes<T>;
  constexpr std::size_t kWidth = kernels::kPanelLanes<T>;
  const std::size_t full = from.columns / kLanes * kLanes;
  const auto place = [&](std::size_t k, std::size_t j) {
    return to + j / kWidth * kWidth * from.rows + k * kWidth + j % kWidth;
  };
  for (std::size_t k = 0; k < from.rows; ++k) {
    const T* const row = from.row(k);
    for (std::size_t j = 0; j < full; j += kLanes)
      kernels::store<T>(place(k, j), kernels::load<T>(row + j));
    if (full == panels_width<T>(from.columns)) continue;
    kernels::store<T>(place(k, full), kernels::load_end(row + full, from.columns - full, T{0}));
    for (std::size_t j = full + kLanes; j < panels_width<T>(from.columns); j += kLanes)
      kernels::store<T>(place(k, j), kernels::Simd<T>{});
  }
  return dense_panels(to, from.rows, from.columns);
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
  constexpr std::size_t kWidth = kernels::kPanelLanes<T>;
  constexpr std::size_t kPiece = kernels::kPiece<T>;
  for (std::size_t first = 0; first < panels_width<T>(from.rows); first += kLanes) {
    // The first column of these `kLanes` of a panel.
    T* const panel = to + first / kWidth * kWidth * from.columns + first % kWidth;
    const std::size_t begin = std::min(first, from.rows);
    const Matrix<const T> rows = from.rows_at(begin, std::min(kLanes, from.rows - begin));
    std::size_t c = 0;
    for (; rows.rows == kLanes && c + kPiece <= from.columns; c += kPiece) {
      if (c % kLanes == 0) detail::prefetch_rows(from, first, c);
      kernels::Simd<T> columns[kPiece];
      kernels::load_columns(rows.data + c, from.stride, columns);
      for (std::size_t i = 0; i < kPiece; ++i)
        kernels::store<T>(panel + (c + i) * kWidth, columns[i]);
    }
    for (; c < from.columns; ++c)
      for (std::size_t r = 0; r < kLanes; ++r)
        panel[c * kWidth + r] = r < rows.rows ? rows.row(r)[c] : T{0};
  }
  return dense_panels(to, from.columns, from.rows);
}

}  // namespace dualagent
