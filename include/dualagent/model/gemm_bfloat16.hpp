#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "dualagent/core/aligned_vector.hpp"
#include "dualagent/core/compiled.hpp"
#include "dualagent/kernels/bfloat16.inl"
#include "dualagent/kernels/simd.inl"
#include "dualagent/model/gemm.hpp"
#include "dualagent/model/panels.hpp"

/// Products of numbers that are rounded to bfloat16, with sums in float32.
///
/// A right operand has its rows in pairs, so that it takes half of float32's bytes. Element (i, j)
/// of a product is one chain of multiply-adds, each rounded once, over the pairs of the depth in
/// their order, of each pair first the second number, then the first one: what the instruction
/// VDPBF16PS computes, but that numbers below 1.2e-38 are kept where it makes them 0. Where a
/// processor has no fused multiply-add, a product is rounded before it is added.
namespace dualagent {

using kernels::Bfloat16Pair;

namespace detail {

/// Rounds `count` numbers; `to` may be `from`.
void round_to_bfloat16(std::size_t count, const float* from, float* to);

}  // namespace detail

/// A matrix rounded to bfloat16 and kept as float, in `to`.
Matrix<const float> rounded_to_bfloat16(Matrix<const float> from, AlignedVector<float>& to);

/// Pairs of rows of a matrix with that many rows.
constexpr std::size_t row_pairs(std::size_t rows) { return (rows + 1) / 2; }

/// Copies a matrix [rows, columns] into panels at `to` as a right operand [pairs of rows, columns];
/// the last of an odd number of rows is paired with zeros.
Panels<Bfloat16Pair> copy_to_pairs(Matrix<const float> from, Bfloat16Pair* to);

/// The same of the transpose of a matrix: a right operand [pairs of columns, rows].
Panels<Bfloat16Pair> transpose_to_pairs(Matrix<const float> from, Bfloat16Pair* to);

/// C[rows, columns] = A[rows, depth] B, or as Store says, with B [pairs of the depth, columns]. A's
/// numbers are rounded to bfloat16 already; C may have fewer columns than B.
///
/// Batch invariance and errors: as `gemm` of one type.
/// Example: gemm(rounded_to_bfloat16(x, scratch), transpose_to_pairs(weights, memory), y)
template <Store mode = Store::overwrite>
void gemm(LeftOperand<float> a, Panels<Bfloat16Pair> b, Matrix<float> c) {
  detail::require_shapes(a.rows == c.rows && row_pairs(a.columns) == b.rows &&
                             c.columns <= panels_width<Bfloat16Pair>(b.columns),
                         "gemm");
  detail::multiply<float, Bfloat16Pair>(
      mode, a, {b.data, kernels::kPanelLanes<Bfloat16Pair>, b.stride}, b.rows, true, c);
}

/// The same with a right operand in float32, which is rounded on the way, as many columns at a time
/// as stay in the second-level cache. One thread, which keeps scratch of that size.
template <Store mode = Store::overwrite>
void gemm_bfloat16(LeftOperand<float> a, Matrix<const float> b, Matrix<float> c) {
  detail::require_shapes(a.rows == c.rows && a.columns == b.rows && b.columns == c.columns,
                         "gemm_bfloat16");
  static thread_local AlignedVector<Bfloat16Pair> scratch;
  const std::size_t pairs = row_pairs(b.rows);
  const std::size_t block = cpu::detail::columns_in_cache<Bfloat16Pair>(pairs);
  for (std::size_t first = 0; first < b.columns; first += block) {
    const std::size_t count = std::min(block, b.columns - first);
    grow(scratch, panels_size<Bfloat16Pair>(pairs, count));
    gemm<mode>(a, copy_to_pairs(b.columns_at(first, count), scratch.data()),
               c.columns_at(first, count));
  }
}

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/model/gemm_bfloat16.inl"
#endif
