#pragma once

#include <algorithm>
#include <cstddef>
#include <type_traits>

#include "dualagent/core/aligned_vector.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/cpu/product.inl"
#include "dualagent/model/panels.hpp"

namespace dualagent {

using cpu::LeftOperand;
using cpu::Store;

/// The transpose of a matrix as a left operand; nothing is moved.
template <class T>
LeftOperand<std::remove_const_t<T>> transposed(Matrix<T> m) {
  return {m.data, m.columns, m.rows, 1, m.stride};
}

namespace detail {

/// What a product asks of its shapes.
inline void require_shapes(bool fit, const char* where) {
  if (!fit) [[unlikely]]
    throw Error("the shapes of a product do not fit together", where);
}

/// Bytes from row to row of a matrix from which on its columns are better copied before they are
/// read again and again: each of their elements is on another page, and many in one cache set.
inline constexpr std::size_t kFarRows = 1024;

/// A product by the best machine that this processor is.
template <class T, class B>
void multiply(Store mode, const LeftOperand<T>& a, const cpu::RightOperand<B>& b, std::size_t depth,
              bool padded, Matrix<T> c) {
  const bool copies = a.row == 1 && a.column * sizeof(T) >= kFarRows && c.columns >= 128;
  cpu::with_machine([&](auto machine) {
    using Machine = decltype(machine);
    static thread_local AlignedVector<T> strip;
    if (copies) grow(strip, cpu::detail::strip_size<Machine>(a));
    cpu::detail::multiply_on<Machine, T, B>(mode, a, b, depth, padded, c,
                                            copies ? strip.data() : nullptr);
  });
}
/// Rows of a product from which on a right operand with far rows is copied into panels first.
inline constexpr std::size_t kManyRows = 48;

/// A product with a right operand that is copied into panels, as many columns at a time as stay in
/// the second-level cache.
template <class T>
void multiply_copied(Store mode, const LeftOperand<T>& a, Matrix<const T> b, Matrix<T> c) {
  static thread_local AlignedVector<T> scratch;
  const std::size_t block = cpu::detail::columns_in_cache<T>(b.rows);
  for (std::size_t first = 0; first < b.columns; first += block) {
    const std::size_t count = std::min(block, b.columns - first);
    grow(scratch, panels_size<T>(b.rows, count));
    const Panels<T> panels = copy_to_panels<T>(b.columns_at(first, count), scratch.data());
    multiply<T, T>(mode, a, {panels.data, kernels::kPanelLanes<T>, panels.stride}, b.rows, true,
                   c.columns_at(first, count));
  }
}

template <class T>
void multiply_heads(Store mode, Matrix<const T> a, const cpu::RightOperand<T>& b,
                    std::size_t next_b, Matrix<T> c) {
  cpu::with_machine([&](auto machine) {
    cpu::detail::multiply_heads_on<decltype(machine), T>(mode, a, b, next_b, c);
  });
}

}  // namespace detail

/// C[rows, columns] = A[rows, depth] B[depth, columns], or += with Store::accumulate and extend.
///
/// A is a matrix or `transposed(matrix)`. Batch invariance: element (i, j) is one chain of
/// multiply-adds over k = 0 .. depth - 1 that starts at 0, or at C's value with Store::extend; then
/// added to C's value with accumulate; its bits depend on row i of A and column j of B only, not on
/// `rows`, nor on how B is stored. One thread, which keeps scratch for copies of what it would read
/// from far places again and again: as much as stays in the second-level cache. Errors: Error if
/// shapes do not fit. Example: gemm(dense(x, rows, in), w_transposed, dense(y, rows, out))
template <Store mode = Store::overwrite, class T>
void gemm(std::type_identity_t<LeftOperand<T>> a, std::type_identity_t<Matrix<const T>> b,
          Matrix<T> c) {
  detail::require_shapes(a.rows == c.rows && a.columns == b.rows && b.columns == c.columns, "gemm");
  if (c.rows >= detail::kManyRows && b.stride * sizeof(T) >= detail::kFarRows)
    return detail::multiply_copied<T>(mode, a, b, c);
  detail::multiply<T, T>(mode, a, {b.data, b.stride, kernels::kPanelLanes<T>}, b.rows, false, c);
}

/// The same with B in panels; C may have fewer columns than B.
template <Store mode = Store::overwrite, class T>
void gemm(std::type_identity_t<LeftOperand<T>> a, std::type_identity_t<Panels<T>> b, Matrix<T> c) {
  detail::require_shapes(
      a.rows == c.rows && a.columns == b.rows && c.columns <= panels_width<T>(b.columns), "gemm");
  detail::multiply<T, T>(mode, a, {b.data, kernels::kPanelLanes<T>, b.stride}, b.rows, true, c);
}

/// Row i of C[heads, columns] = row i of A[heads, depth] times B_i [depth, columns], a right
/// operand that begins `next_b` elements after the one before it; `b` is B_0. With Store::extend
/// the sums go on from C's values. Element by element the bits of `gemm`, and its errors.
template <Store mode = Store::overwrite, class T>
void gemv(std::type_identity_t<Matrix<const T>> a, std::type_identity_t<Matrix<const T>> b,
          std::size_t next_b, Matrix<T> c) {
  detail::require_shapes(a.rows == c.rows && a.columns == b.rows && b.columns == c.columns, "gemv");
  static_assert(mode != Store::accumulate, "dualagent: gemv overwrites or extends");
  detail::multiply_heads<T>(mode, a, {b.data, b.stride, kernels::kPanelLanes<T>}, next_b, c);
}

/// The same with every B_i in panels; C's columns are a multiple of the lanes, and may be fewer.
template <Store mode = Store::overwrite, class T>
void gemv(std::type_identity_t<Matrix<const T>> a, std::type_identity_t<Panels<T>> b,
          std::size_t next_b, Matrix<T> c) {
  detail::require_shapes(a.rows == c.rows && a.columns == b.rows &&
                             c.columns <= panels_width<T>(b.columns) &&
                             c.columns % kernels::kLanes<T> == 0,
                         "gemv");
  static_assert(mode != Store::accumulate, "dualagent: gemv overwrites or extends");
  detail::multiply_heads<T>(mode, a, {b.data, kernels::kPanelLanes<T>, b.stride}, next_b, c);
}

}  // namespace dualagent
