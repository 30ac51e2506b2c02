#pragma once

#include <algorithm>
#include <cstddef>
#include <type_traits>

#include "dualagent/core/aligned_vector.hpp"
#include "dualagent/kernels/simd.inl"
#include "dualagent/model/gemm.hpp"
#include "dualagent/model/panels.hpp"

namespace dualagent {

namespace detail {

/// Up to kRows rows of A times the transpose of a vector's rows of B, which are turned in registers
/// on their way from memory. Element (i, k) of A is a[k * next + i]; those of rows beyond `rows`
/// are finite and without effect. Column r of the product lies at c + r * step.
template <class T, std::size_t kRows>
[[gnu::noinline]] void gemm_turning(Store mode, std::size_t rows, const T* a, std::size_t next,
                                    Matrix<const T> b, T* c, std::size_t ldc, std::size_t step) {
  constexpr std::size_t kLanes = kernels::kLanes<T>;
  constexpr std::size_t kPiece = kernels::kPiece<T>;
  using Vec = kernels::Simd<T>;
  T lanes[kLanes];
  Vec sum[kRows] = {};
  if (mode == Store::extend)
    for (std::size_t i = 0; i < rows; ++i) {
      for (std::size_t r = 0; r < kLanes; ++r) lanes[r] = c[i * ldc + r * step];
      sum[i] = kernels::load<T>(lanes);
    }
  const auto multiply = [&](std::size_t k, Vec column) {
#pragma GCC unroll 16
    for (std::size_t i = 0; i < kRows; ++i)
      sum[i] = kernels::multiply_add(kernels::broadcast(a[k * next + i]), column, sum[i]);
  };
  const auto take = [&](std::size_t k) {
    Vec columns[kPiece];
    kernels::load_columns(b.data + k, b.stride, columns);
#pragma GCC unroll 16
    for (std::size_t t = 0; t < kPiece; ++t) multiply(k + t, columns[t]);
  };
  std::size_t k = 0;
  for (; k + kLanes <= b.columns; k += kLanes) {
    prefetch_rows(b, 0, k);
#pragma GCC unroll 16
    for (std::size_t p = 0; p < kLanes; p += kPiece) take(k + p);
  }
  for (; k + kPiece <= b.columns; k += kPiece) take(k);
  for (; k < b.columns; ++k) {
    for (std::size_t r = 0; r < kLanes; ++r) lanes[r] = b.row(r)[k];
    multiply(k, kernels::load<T>(lanes));
  }
  for (std::size_t i = 0; i < rows; ++i) {
    kernels::store<T>(lanes, sum[i]);
    for (std::size_t r = 0; r < kLanes; ++r) {
      T& to = c[i * ldc + r * step];
      to = mode == Store::accumulate ? to + lanes[r] : lanes[r];
    }
  }
}

/// All of B, whose rows are a multiple of the lanes.
///
/// Rows that are turned together begin on different pages where possible: two streams through one
/// page keep the processor from reading ahead.
template <class T, std::size_t kRows>
void gemm_turning_all(Store mode, std::size_t rows, const T* a, std::size_t next, Matrix<const T> b,
                      Matrix<T> c) {
  constexpr std::size_t kLanes = kernels::kLanes<T>;
  constexpr std::size_t kPage = 4096 / sizeof(T);
  std::size_t j = 0;
  const auto take = [&](std::size_t step) {
    for (; j + step * kLanes <= b.rows; j += step * kLanes)
      for (std::size_t first = j; first < j + step; ++first)
        gemm_turning<T, kRows>(mode, rows, a, next,
                               {b.row(first), kLanes, b.columns, step * b.stride}, c.data + first,
                               c.stride, step);
  };
  if (b.stride < kPage) take(4);
  take(1);
}

/// C = A B^T for up to kLanes rows of A and a multiple of the lanes of B's rows; `scratch` takes
/// A's transpose.
template <class T>
void gemm_few_rows(Store mode, Matrix<const T> a, Matrix<const T> b, Matrix<T> c,
                   AlignedVector<T>& scratch) {
  constexpr std::size_t kLanes = kernels::kLanes<T>;
  if (a.rows == 1) return gemm_turning_all<T, 1>(mode, 1, a.data, 1, b, c);
  grow(scratch, panels_size<T>(a.columns, a.rows));
  transpose_to_panels<T>(a, scratch.data());
  const auto take = [&]<std::size_t kRows>(std::integral_constant<std::size_t, kRows>) {
    gemm_turning_all<T, kRows>(mode, a.rows, scratch.data(), kernels::kPanelLanes<T>, b, c);
  };
  if constexpr (kLanes >= 16)
    if (a.rows > 8) return take(std::integral_constant<std::size_t, 16>{});
  if constexpr (kLanes >= 8)
    if (a.rows > 4) return take(std::integral_constant<std::size_t, 8>{});
  if constexpr (kLanes >= 4)
    if (a.rows > 2) return take(std::integral_constant<std::size_t, 4>{});
  take(std::integral_constant<std::size_t, 2>{});
}

}  // namespace detail

/// C[rows, columns] = A[rows, depth] B^T with B [columns, depth], or as Store says: the bits of
/// `gemm` with B's transpose in panels, which need not exist.
///
/// For few rows B is read from memory once and turned in registers. For more rows, as many columns
/// as stay in the second-level cache are turned into panels at a time, and all rows multiplied with
/// them. One thread, which keeps scratch of that size. Errors: Error if shapes do not fit.
/// Example: gemm_transposed(dense(x, rows, in), dense(weights, out, in), dense(y, rows, out))
template <Store mode = Store::overwrite, class T>
void gemm_transposed(std::type_identity_t<Matrix<const T>> a,
                     std::type_identity_t<Matrix<const T>> b, Matrix<T> c) {
  detail::require_shapes(a.rows == c.rows && a.columns == b.columns && b.rows == c.columns,
                         "gemm_transposed");
  if (a.rows == 0) return;
  constexpr std::size_t kLanes = kernels::kLanes<T>;
  static thread_local AlignedVector<T> scratch;
  std::size_t first = 0;
  if (a.rows <= kLanes && cpu::products_are_fused() == kernels::kFusedMultiplyAdd) {
    first = b.rows / kLanes * kLanes;
    detail::gemm_few_rows<T>(mode, a, b.rows_at(0, first), c.columns_at(0, first), scratch);
  }
  const std::size_t block = cpu::detail::columns_in_cache<T>(a.columns);
  for (; first < b.rows; first += block) {
    const std::size_t count = std::min(block, b.rows - first);
    grow(scratch, panels_size<T>(b.columns, count));
    gemm<mode>(a, transpose_to_panels<T>(b.rows_at(first, count), scratch.data()),
               c.columns_at(first, count));
  }
}

}  // namespace dualagent
