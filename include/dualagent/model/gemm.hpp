#pragma once

#include <cstddef>

#include "dualagent/kernels/simd.inl"

namespace dualagent {

/// A matrix operand by pointer and strides; element (i, j) is data[i * row + j * column].
template <class T>
struct Strided {
  const T* data;
  std::size_t row;
  std::size_t column = 1;
};

enum class Store { overwrite, accumulate };

namespace detail {

template <class T, Store mode, int kRows, int kVectors>
inline void gemm_tile(std::size_t depth, Strided<T> a, const T* b, std::size_t ldb, T* c,
                      std::size_t ldc) {
  using Vec = kernels::Simd<T>;
  constexpr std::size_t kLanes = kernels::kLanes<T>;
  Vec sum[kRows][kVectors] = {};
  for (std::size_t k = 0; k < depth; ++k) {
    Vec right[kVectors];
#pragma GCC unroll 16
    for (int j = 0; j < kVectors; ++j)
      right[j] = kernels::load<T>(b + k * ldb + static_cast<std::size_t>(j) * kLanes);
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
      const Vec left =
          kernels::broadcast(a.data[static_cast<std::size_t>(i) * a.row + k * a.column]);
#pragma GCC unroll 16
      for (int j = 0; j < kVectors; ++j) sum[i][j] = kernels::multiply_add(left, right[j], sum[i][j]);
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 16
    for (int j = 0; j < kVectors; ++j) {
      T* to = c + static_cast<std::size_t>(i) * ldc + static_cast<std::size_t>(j) * kLanes;
      kernels::store<T>(to, mode == Store::accumulate ? kernels::load<T>(to) + sum[i][j] : sum[i][j]);
    }
}

template <class T, Store mode, int kVectors>
inline void gemm_panel(std::size_t rows, std::size_t depth, Strided<T> a, const T* b,
                       std::size_t ldb, T* c, std::size_t ldc) {
  constexpr int kRows = kernels::kVectorBytes == 64 ? 12 : kernels::kVectorBytes == 32 ? 6 : 4;
  std::size_t i = 0;
  const auto at = [&](std::size_t row) { return Strided<T>{a.data + row * a.row, a.row, a.column}; };
  for (; i + kRows <= rows; i += kRows)
    gemm_tile<T, mode, kRows, kVectors>(depth, at(i), b, ldb, c + i * ldc, ldc);
  for (; i + 2 <= rows; i += 2)
    gemm_tile<T, mode, 2, kVectors>(depth, at(i), b, ldb, c + i * ldc, ldc);
  for (; i < rows; ++i)
    gemm_tile<T, mode, 1, kVectors>(depth, at(i), b, ldb, c + i * ldc, ldc);
}

}  // namespace detail

/// C[rows, columns] = A[rows, depth] B[depth, columns], or += with Store::accumulate.
///
/// Batch invariance: element (i, j) is one chain of multiply-adds over k = 0 .. depth - 1 that
/// starts at 0, then added to C's value if asked; its bits depend on row i of A and column j of B only, not on
/// `rows`. B and C are row-major. One thread.
template <Store mode = Store::overwrite, class T>
void gemm(std::size_t rows, std::size_t columns, std::size_t depth, Strided<T> a, const T* b,
          std::size_t ldb, T* c, std::size_t ldc) {
  constexpr std::size_t kLanes = kernels::kLanes<T>;
  std::size_t j = 0;
  if (rows <= 2) {
    for (; j + 4 * kLanes <= columns; j += 4 * kLanes)
      detail::gemm_panel<T, mode, 4>(rows, depth, a, b + j, ldb, c + j, ldc);
  }
  for (; j + 2 * kLanes <= columns; j += 2 * kLanes)
    detail::gemm_panel<T, mode, 2>(rows, depth, a, b + j, ldb, c + j, ldc);
  for (; j + kLanes <= columns; j += kLanes)
    detail::gemm_panel<T, mode, 1>(rows, depth, a, b + j, ldb, c + j, ldc);
  for (; j < columns; ++j)
    for (std::size_t i = 0; i < rows; ++i) {
      T sum{0};
      for (std::size_t k = 0; k < depth; ++k)
        sum = kernels::multiply_add_scalar(a.data[i * a.row + k * a.column], b[k * ldb + j], sum);
      c[i * ldc + j] = mode == Store::accumulate ? c[i * ldc + j] + sum : sum;
    }
}

}  // namespace dualagent
