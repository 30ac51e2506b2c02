#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <type_traits>

#include "dualagent/core/error.hpp"
#include "dualagent/kernels/simd.inl"
#include "dualagent/model/panels.hpp"

namespace dualagent {

/// The left operand of a product: a matrix, or the transpose of one where it lies; element (i, j)
/// is data[i * row + j * column].
template <class T>
struct LeftOperand {
  const T* data;
  std::size_t rows, columns;
  std::size_t row, column;  // elements to the next of them

  LeftOperand(const T* from, std::size_t r, std::size_t c, std::size_t next_row,
              std::size_t next_column)
      : data(from), rows(r), columns(c), row(next_row), column(next_column) {}
  LeftOperand(Matrix<const T> m) : LeftOperand(m.data, m.rows, m.columns, m.stride, 1) {}
  LeftOperand(Matrix<T> m) : LeftOperand(Matrix<const T>(m)) {}
};

/// The transpose of a matrix as a left operand; nothing is moved.
template <class T>
LeftOperand<std::remove_const_t<T>> transposed(Matrix<T> m) {
  return {m.data, m.columns, m.rows, 1, m.stride};
}

/// What a product does with what C holds.
enum class Store {
  overwrite,
  accumulate,  ///< C + (A B)
  extend,  ///< each sum starts from C's value, so a product in parts of its depth keeps its bits
};

namespace detail {

/// Either form of a right operand: element (k, j) is data[k * row + j / lanes * vector + j %
/// lanes].
template <class T>
struct RightOperand {
  const T* data;
  std::size_t row;
  std::size_t vector;

  RightOperand from_vector(std::size_t v) const { return {data + v * vector, row, vector}; }
};

template <class T, Store mode, int kRows, int kVectors>
inline void gemm_tile(std::size_t depth, LeftOperand<T> a, RightOperand<T> b, T* c,
                      std::size_t ldc) {
  using Vec = kernels::Simd<T>;
  constexpr std::size_t kLanes = kernels::kLanes<T>;
  const auto at = [&](int i, int j) {
    return c + static_cast<std::size_t>(i) * ldc + static_cast<std::size_t>(j) * kLanes;
  };
  Vec sum[kRows][kVectors] = {};
  if constexpr (mode == Store::extend) {
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 16
      for (int j = 0; j < kVectors; ++j) sum[i][j] = kernels::load<T>(at(i, j));
  } else {
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) __builtin_prefetch(at(i, 0), 1);
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) __builtin_prefetch(at(i, kVectors - 1), 1);
  }
  for (std::size_t k = 0; k < depth; ++k) {
    Vec right[kVectors];
#pragma GCC unroll 16
    for (int j = 0; j < kVectors; ++j)
      right[j] = kernels::load<T>(b.data + k * b.row + static_cast<std::size_t>(j) * b.vector);
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
      const Vec left =
          kernels::broadcast(a.data[static_cast<std::size_t>(i) * a.row + k * a.column]);
#pragma GCC unroll 16
      for (int j = 0; j < kVectors; ++j)
        sum[i][j] = kernels::multiply_add(left, right[j], sum[i][j]);
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 16
    for (int j = 0; j < kVectors; ++j)
      kernels::store<T>(
          at(i, j), mode == Store::accumulate ? kernels::load<T>(at(i, j)) + sum[i][j] : sum[i][j]);
}

/// kRows rows by `columns` columns; with `padded` the last vector of b may be read to its end. Not
/// inlined: how well its registers are used must not hang on who calls it.
template <class T, Store mode, int kRows>
[[gnu::noinline]] void gemm_rows(std::size_t columns, std::size_t depth, LeftOperand<T> a,
                                 RightOperand<T> b, bool padded, T* c, std::size_t ldc) {
  constexpr std::size_t kLanes = kernels::kLanes<T>;
  const std::size_t vectors = columns / kLanes;
  std::size_t v = 0;
  if constexpr (kRows <= 2)  // few rows need more columns to keep the adders busy
    for (; v + 4 <= vectors; v += 4)
      gemm_tile<T, mode, kRows, 4>(depth, a, b.from_vector(v), c + v * kLanes, ldc);
  for (; v + 2 <= vectors; v += 2)
    gemm_tile<T, mode, kRows, 2>(depth, a, b.from_vector(v), c + v * kLanes, ldc);
  for (; v < vectors; ++v)
    gemm_tile<T, mode, kRows, 1>(depth, a, b.from_vector(v), c + v * kLanes, ldc);
  if (v * kLanes == columns) return;
  T last[kRows * kLanes] = {};
  if constexpr (mode == Store::extend)
    for (std::size_t i = 0; i < kRows; ++i)
      std::memcpy(last + i * kLanes, c + i * ldc + v * kLanes, columns % kLanes * sizeof(T));
  if (padded) {
    constexpr Store start = mode == Store::extend ? Store::extend : Store::overwrite;
    gemm_tile<T, start, kRows, 1>(depth, a, b.from_vector(v), last, kLanes);
  } else {
    for (std::size_t i = 0; i < kRows; ++i)
      for (std::size_t j = 0; j < columns % kLanes; ++j) {
        T sum = last[i * kLanes + j];
        for (std::size_t k = 0; k < depth; ++k)
          sum = kernels::multiply_add_scalar(a.data[i * a.row + k * a.column],
                                             b.data[v * b.vector + k * b.row + j], sum);
        last[i * kLanes + j] = sum;
      }
  }
  for (std::size_t i = 0; i < kRows; ++i)
    for (std::size_t j = 0; j < columns % kLanes; ++j) {
      T& to = c[i * ldc + v * kLanes + j];
      to = mode == Store::accumulate ? to + last[i * kLanes + j] : last[i * kLanes + j];
    }
}

/// Columns, a multiple of 4 vectors, of a right operand of this depth that stay in the second-level
/// cache.
template <class T>
constexpr std::size_t columns_in_cache(std::size_t depth) {
  constexpr std::size_t kCacheBytes = 1U << 19U;
  constexpr std::size_t kFour = 4 * kernels::kLanes<T>;
  return std::max<std::size_t>(
      kFour, kCacheBytes / (sizeof(T) * std::max<std::size_t>(depth, 1)) / kFour * kFour);
}

template <class T, Store mode>
void gemm_blocks(std::size_t rows, std::size_t columns, std::size_t depth, LeftOperand<T> a,
                 RightOperand<T> b, bool padded, T* c, std::size_t ldc) {
  constexpr int kRows = kernels::kVectorBytes == 64 ? 12 : kernels::kVectorBytes == 32 ? 6 : 4;
  constexpr std::size_t kLanes = kernels::kLanes<T>;
  const std::size_t block = columns_in_cache<T>(depth) / kLanes;  // vectors
  for (std::size_t v = 0; v * kLanes < columns; v += block) {
    const std::size_t width = std::min(block * kLanes, columns - v * kLanes);
    const RightOperand<T> right = b.from_vector(v);
    T* const to = c + v * kLanes;
    const auto at = [&](std::size_t i) {
      return LeftOperand<T>(a.data + i * a.row, a.rows - i, a.columns, a.row, a.column);
    };
    std::size_t i = 0;
    for (; i + kRows <= rows; i += kRows)
      gemm_rows<T, mode, kRows>(width, depth, at(i), right, padded, to + i * ldc, ldc);
    for (; i + 4 <= rows; i += 4)
      gemm_rows<T, mode, 4>(width, depth, at(i), right, padded, to + i * ldc, ldc);
    for (; i + 2 <= rows; i += 2)
      gemm_rows<T, mode, 2>(width, depth, at(i), right, padded, to + i * ldc, ldc);
    for (; i < rows; ++i)
      gemm_rows<T, mode, 1>(width, depth, at(i), right, padded, to + i * ldc, ldc);
  }
}

/// kHeads products of one row each, every one with a right operand of its own.
template <class T, Store mode, int kHeads, int kVectors>
inline void gemv_tile(std::size_t depth, const T* a, std::size_t lda, RightOperand<T> b,
                      std::size_t next_b, T* c, std::size_t ldc) {
  constexpr std::size_t kLanes = kernels::kLanes<T>;
  kernels::Simd<T> sum[kHeads][kVectors] = {};
  if constexpr (mode == Store::extend)
#pragma GCC unroll 16
    for (std::size_t i = 0; i < kHeads; ++i)
#pragma GCC unroll 16
      for (std::size_t j = 0; j < kVectors; ++j)
        sum[i][j] = kernels::load<T>(c + i * ldc + j * kLanes);
  for (std::size_t k = 0; k < depth; ++k)
#pragma GCC unroll 16
    for (std::size_t i = 0; i < kHeads; ++i) {
      const auto left = kernels::broadcast(a[i * lda + k]);
#pragma GCC unroll 16
      for (std::size_t j = 0; j < kVectors; ++j)
        sum[i][j] = kernels::multiply_add(
            left, kernels::load<T>(b.data + i * next_b + k * b.row + j * b.vector), sum[i][j]);
    }
#pragma GCC unroll 16
  for (std::size_t i = 0; i < kHeads; ++i)
#pragma GCC unroll 16
    for (std::size_t j = 0; j < kVectors; ++j)
      kernels::store<T>(c + i * ldc + j * kLanes, sum[i][j]);
}

template <class T, Store mode, int kHeads>
inline void gemv_heads(std::size_t columns, std::size_t depth, const T* a, std::size_t lda,
                       RightOperand<T> b, std::size_t next_b, T* c, std::size_t ldc) {
  constexpr std::size_t kLanes = kernels::kLanes<T>;
  const std::size_t vectors = columns / kLanes;
  std::size_t v = 0;
  for (; v + 2 <= vectors; v += 2)
    gemv_tile<T, mode, kHeads, 2>(depth, a, lda, b.from_vector(v), next_b, c + v * kLanes, ldc);
  if (v < vectors)
    gemv_tile<T, mode, kHeads, 1>(depth, a, lda, b.from_vector(v), next_b, c + v * kLanes, ldc);
  for (std::size_t i = 0; i < kHeads; ++i)
    for (std::size_t j = vectors * kLanes; j < columns; ++j) {
      T sum = mode == Store::extend ? c[i * ldc + j] : T{0};
      for (std::size_t k = 0; k < depth; ++k)
        sum = kernels::multiply_add_scalar(
            a[i * lda + k], b.data[i * next_b + k * b.row + vectors * b.vector + j % kLanes], sum);
      c[i * ldc + j] = sum;
    }
}

template <Store mode, class T>
void gemv_all(Matrix<const T> a, RightOperand<T> b, std::size_t next_b, Matrix<T> c) {
  static_assert(mode != Store::accumulate, "dualagent: gemv overwrites or extends");
  std::size_t i = 0;
  const auto take = [&]<int kHeads>(std::integral_constant<int, kHeads>) {
    for (; i + kHeads <= c.rows; i += kHeads)
      gemv_heads<T, mode, kHeads>(c.columns, a.columns, a.row(i), a.stride,
                                  {b.data + i * next_b, b.row, b.vector}, next_b, c.row(i),
                                  c.stride);
  };
  take(std::integral_constant<int, 4>{});
  take(std::integral_constant<int, 2>{});
  take(std::integral_constant<int, 1>{});
}

/// What a product asks of its shapes.
inline void require_shapes(bool fit, const char* where) {
  if (!fit) [[unlikely]]
    throw Error("the shapes of a product do not fit together", where);
}

}  // namespace detail

/// C[rows, columns] = A[rows, depth] B[depth, columns], or += with Store::accumulate and extend.
///
/// A is a matrix or `transposed(matrix)`. Batch invariance: element (i, j) is one chain of
/// multiply-adds over k = 0 .. depth - 1 that starts at 0, or at C's value with Store::extend; then
/// added to C's value with accumulate; its bits depend on row i of A and column j of B only, not on
/// `rows`, nor on how B is stored. One thread. Errors: Error if shapes do not fit.
/// Example: gemm(dense(x, rows, in), w_transposed, dense(y, rows, out))
template <Store mode = Store::overwrite, class T>
void gemm(std::type_identity_t<LeftOperand<T>> a, std::type_identity_t<Matrix<const T>> b,
          Matrix<T> c) {
  detail::require_shapes(a.rows == c.rows && a.columns == b.rows && b.columns == c.columns, "gemm");
  detail::gemm_blocks<T, mode>(c.rows, c.columns, a.columns, a,
                               {b.data, b.stride, kernels::kLanes<T>}, false, c.data, c.stride);
}

/// The same with B in panels; C may have fewer columns than B.
template <Store mode = Store::overwrite, class T>
void gemm(std::type_identity_t<LeftOperand<T>> a, std::type_identity_t<Panels<T>> b, Matrix<T> c) {
  detail::require_shapes(
      a.rows == c.rows && a.columns == b.rows && c.columns <= kernels::padded<T>(b.columns),
      "gemm");
  detail::gemm_blocks<T, mode>(c.rows, c.columns, a.columns, a,
                               {b.data, kernels::kLanes<T>, b.stride}, true, c.data, c.stride);
}

/// Row i of C[heads, columns] = row i of A[heads, depth] times B_i [depth, columns], a right
/// operand that begins `next_b` elements after the one before it; `b` is B_0. With Store::extend
/// the sums go on from C's values. Element by element the bits of `gemm`, and its errors.
template <Store mode = Store::overwrite, class T>
void gemv(std::type_identity_t<Matrix<const T>> a, std::type_identity_t<Matrix<const T>> b,
          std::size_t next_b, Matrix<T> c) {
  detail::require_shapes(a.rows == c.rows && a.columns == b.rows && b.columns == c.columns, "gemv");
  detail::gemv_all<mode, T>(a, {b.data, b.stride, kernels::kLanes<T>}, next_b, c);
}

/// The same with every B_i in panels; C's columns are a multiple of the lanes, and may be fewer.
template <Store mode = Store::overwrite, class T>
void gemv(std::type_identity_t<Matrix<const T>> a, std::type_identity_t<Panels<T>> b,
          std::size_t next_b, Matrix<T> c) {
  detail::require_shapes(a.rows == c.rows && a.columns == b.rows &&
                             c.columns <= kernels::padded<T>(b.columns) &&
                             c.columns % kernels::kLanes<T> == 0,
                         "gemv");
  detail::gemv_all<mode, T>(a, {b.data, kernels::kLanes<T>, b.stride}, next_b, c);
}

}  // namespace dualagent
