#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "dualagent/core/aligned_vector.hpp"
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

/// Lanes of two vectors, rounded, as pairs.
inline kernels::Simd<std::uint32_t> pairs_of(kernels::Simd<float> first,
                                             kernels::Simd<float> second) {
  return kernels::bfloat16_bits(second) | kernels::bfloat16_bits(first) >> 16U;
}

inline void store_pairs(Bfloat16Pair* to, kernels::Simd<std::uint32_t> pairs) {
  std::memcpy(to, &pairs, sizeof pairs);
}

/// Rounds `count` numbers; `to` may be `from`.
inline void round_to_bfloat16(std::size_t count, const float* from, float* to) {
  constexpr std::size_t kLanes = kernels::kLanes<float>;
  std::size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const auto bits = kernels::bfloat16_bits(kernels::load<float>(from + i));
    std::memcpy(to + i, &bits, sizeof bits);
  }
  for (; i < count; ++i) to[i] = kernels::rounded_to_bfloat16(from[i]);
}

}  // namespace detail

/// A matrix rounded to bfloat16 and kept as float, in `to`.
inline Matrix<const float> rounded_to_bfloat16(Matrix<const float> from, AlignedVector<float>& to) {
  grow(to, from.rows * from.columns);
  for (std::size_t r = 0; r < from.rows; ++r)
    detail::round_to_bfloat16(from.columns, from.row(r), to.data() + r * from.columns);
  return dense<const float>(to.data(), from.rows, from.columns);
}

/// Pairs of rows of a matrix with that many rows.
constexpr std::size_t row_pairs(std::size_t rows) { return (rows + 1) / 2; }

/// Copies a matrix [rows, columns] into panels at `to` as a right operand [pairs of rows, columns];
/// the last of an odd number of rows is paired with zeros.
inline Panels<Bfloat16Pair> copy_to_pairs(Matrix<const float> from, Bfloat16Pair* to) {
  constexpr std::size_t kLanes = kernels::kLanes<float>;
  constexpr std::size_t kWidth = kernels::kPanelLanes<Bfloat16Pair>;
  const std::size_t pairs = row_pairs(from.rows);
  const std::size_t full = from.columns / kLanes * kLanes;
  for (std::size_t p = 0; p < pairs; ++p) {
    const bool both = 2 * p + 1 < from.rows;
    const float* const first = from.row(2 * p);
    const float* const second = both ? from.row(2 * p + 1) : first;
    const auto place = [&](std::size_t j) {
      return to + j / kWidth * kWidth * pairs + p * kWidth + j % kWidth;
    };
    for (std::size_t j = 0; j < full; j += kLanes) {
      const auto of_second = both ? kernels::load<float>(second + j) : kernels::Simd<float>{};
      detail::store_pairs(place(j), detail::pairs_of(kernels::load<float>(first + j), of_second));
    }
    for (std::size_t j = full; j < panels_width<Bfloat16Pair>(from.columns); ++j)
      *place(j) = j < from.columns ? kernels::bfloat16_pair(first[j], both ? second[j] : 0.0F)
                                   : Bfloat16Pair{};
  }
  return dense_panels(to, pairs, from.columns);
}

/// The same of the transpose of a matrix: a right operand [pairs of columns, rows].
inline Panels<Bfloat16Pair> transpose_to_pairs(Matrix<const float> from, Bfloat16Pair* to) {
  constexpr std::size_t kLanes = kernels::kLanes<float>;
  constexpr std::size_t kWidth = kernels::kPanelLanes<Bfloat16Pair>;
  constexpr std::size_t kPiece = kernels::kPiece<float>;
  const std::size_t pairs = row_pairs(from.columns);
  for (std::size_t first = 0; first < panels_width<Bfloat16Pair>(from.rows); first += kLanes) {
    Bfloat16Pair* const panel = to + first / kWidth * kWidth * pairs + first % kWidth;
    const std::size_t begin = std::min(first, from.rows);
    const Matrix<const float> rows = from.rows_at(begin, std::min(kLanes, from.rows - begin));
    std::size_t c = 0;
    for (; rows.rows == kLanes && c + kPiece <= from.columns; c += kPiece) {
      kernels::Simd<float> columns[kPiece];
      kernels::load_columns(rows.data + c, from.stride, columns);
      for (std::size_t i = 0; i < kPiece; i += 2)
        detail::store_pairs(panel + (c + i) / 2 * kWidth,
                            detail::pairs_of(columns[i], columns[i + 1]));
    }
    for (; c < from.columns; c += 2)
      for (std::size_t r = 0; r < kLanes; ++r) {
        const float* const row = rows.row(r) + c;
        panel[c / 2 * kWidth + r] =
            r < rows.rows ? kernels::bfloat16_pair(row[0], c + 1 < from.columns ? row[1] : 0.0F)
                          : Bfloat16Pair{};
      }
  }
  return dense_panels(to, pairs, from.rows);
}

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
