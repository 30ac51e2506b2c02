#pragma once

/// Definitions of gemm_bfloat16.hpp; see core/compiled.hpp.

#include "dualagent/model/gemm_bfloat16.hpp"

namespace dualagent::detail {

/// Lanes of two vectors, rounded, as pairs.
inline kernels::Simd<std::uint32_t> pairs_of(kernels::Simd<float> first,
                                             kernels::Simd<float> second) {
  return kernels::bfloat16_bits(second) | kernels::bfloat16_bits(first) >> 16U;
}

inline void store_pairs(Bfloat16Pair* to, kernels::Simd<std::uint32_t> pairs) {
  std::memcpy(to, &pairs, sizeof pairs);
}

DUALAGENT_INLINE void round_to_bfloat16(std::size_t count, const float* from, float* to) {
  constexpr std::size_t kLanes = kernels::kLanes<float>;
  std::size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const auto bits = kernels::bfloat16_bits(kernels::load<float>(from + i));
    std::memcpy(to + i, &bits, sizeof bits);
  }
  for (; i < count; ++i) to[i] = kernels::rounded_to_bfloat16(from[i]);
}

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE Matrix<const float> rounded_to_bfloat16(Matrix<const float> from,
                                                         AlignedVector<float>& to) {
  grow(to, from.rows * from.columns);
  for (std::size_t r = 0; r < from.rows; ++r)
    detail::round_to_bfloat16(from.columns, from.row(r), to.data() + r * from.columns);
  return dense<const float>(to.data(), from.rows, from.columns);
}

DUALAGENT_INLINE Panels<Bfloat16Pair> copy_to_pairs(Matrix<const float> from, Bfloat16Pair* to) {
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

DUALAGENT_INLINE Panels<Bfloat16Pair> transpose_to_pairs(Matrix<const float> from,
                                                         Bfloat16Pair* to) {
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

}  // namespace dualagent
