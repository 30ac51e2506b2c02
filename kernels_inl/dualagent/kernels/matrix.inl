#pragma once

#include <cstddef>
#include <type_traits>

#include "dualagent/kernels/host_device.inl"

namespace dualagent::kernels {

/// A matrix [rows, columns] in somebody's memory, of the host or of a device; row r begins at
/// data + r * stride.
template <class T>
struct Matrix {
  T* data = nullptr;
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::size_t stride = 0;  ///< elements from row to row, >= columns

  DUALAGENT_HD T* row(std::size_t r) const { return data + r * stride; }

  /// The part of `count` rows, or columns, that begins at `first`.
  DUALAGENT_HD Matrix rows_at(std::size_t first, std::size_t count) const {
    return {data + first * stride, count, columns, stride};
  }
  DUALAGENT_HD Matrix columns_at(std::size_t first, std::size_t count) const {
    return {data + first, rows, count, stride};
  }

  /// Whoever may write may also read.
  DUALAGENT_HD operator Matrix<const T>() const requires(!std::is_const_v<T>) {
    return {data, rows, columns, stride};
  }
};

/// A matrix whose rows follow one another.
template <class T>
DUALAGENT_HD Matrix<T> dense(T* data, std::size_t rows, std::size_t columns) {
  return {data, rows, columns, columns};
}

}  // namespace dualagent::kernels
