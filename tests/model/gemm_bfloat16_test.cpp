#include "dualagent/model/gemm_bfloat16.hpp"

#include <cmath>
#include <cstddef>
#include <vector>

#include "support/catch.hpp"
#include "support/normals.hpp"

using namespace dualagent;

namespace {

/// Element (p, j) of panels, as the docstring of Panels places it.
Bfloat16Pair at(const Panels<Bfloat16Pair>& panels, std::size_t p, std::size_t j) {
  constexpr std::size_t kWidth = kernels::kPanelLanes<Bfloat16Pair>;
  return panels.data[j / kWidth * panels.stride + p * kWidth + j % kWidth];
}

/// Pair p of column j of a matrix whose element (i, j) is `element(i, j)`, by hand.
template <class Element>
std::uint32_t expected_pair(std::size_t rows, std::size_t p, Element&& element) {
  return kernels::bfloat16_pair(element(2 * p), 2 * p + 1 < rows ? element(2 * p + 1) : 0.0F).bits;
}

/// a [rows, depth] times b [depth, columns], both rounded, summed in the documented order.
float chain(const std::vector<float>& a, const std::vector<float>& b, std::size_t i, std::size_t j,
            std::size_t depth, std::size_t columns) {
  float sum = 0;
  const auto add = [&](std::size_t k) {
    const float x = kernels::rounded_to_bfloat16(a[i * depth + k]);
    const float y = kernels::rounded_to_bfloat16(b[k * columns + j]);
    sum = cpu::products_are_fused() ? std::fma(x, y, sum) : x * y + sum;
  };
  for (std::size_t k = 0; k < depth; k += 2) {
    if (k + 1 < depth) add(k + 1);
    add(k);
  }
  return sum;
}

}  // namespace

TEST_CASE("a matrix, or its transpose, is put into panels of pairs", "[model][bfloat16]") {
  for (const std::size_t rows : {1U, 2U, 17U, 33U})
    for (const std::size_t columns : {1U, 6U, 16U, 39U}) {
      INFO(rows << " x " << columns);
      const std::vector<float> data = normals<float>(rows * columns, 1);
      const Matrix<const float> matrix = dense(data.data(), rows, columns);
      const std::size_t pairs = (rows + 1) / 2, column_pairs = (columns + 1) / 2;
      std::vector<Bfloat16Pair> to(panels_size<Bfloat16Pair>(pairs, columns), {77});
      std::vector<Bfloat16Pair> turned_to(panels_size<Bfloat16Pair>(column_pairs, rows), {77});
      const auto plain = copy_to_pairs(matrix, to.data());
      const auto turned = transpose_to_pairs(matrix, turned_to.data());
      CHECK(plain.rows == pairs);
      CHECK(plain.columns == columns);
      CHECK(turned.rows == column_pairs);
      CHECK(turned.columns == rows);
      std::size_t wrong = 0;
      for (std::size_t p = 0; p < pairs; ++p)
        for (std::size_t j = 0; j < panels_width<Bfloat16Pair>(columns); ++j)
          wrong += at(plain, p, j).bits !=
                   (j < columns ? expected_pair(
                                      rows, p, [&](std::size_t i) { return data[i * columns + j]; })
                                : 0U);
      for (std::size_t p = 0; p < column_pairs; ++p)
        for (std::size_t j = 0; j < panels_width<Bfloat16Pair>(rows); ++j)
          wrong += at(turned, p, j).bits !=
                   (j < rows ? expected_pair(columns, p,
                                             [&](std::size_t i) { return data[j * columns + i]; })
                             : 0U);
      CHECK(wrong == 0);
    }
}

TEST_CASE("a product of bfloat16 has the bits of its chain in any form", "[model][bfloat16]") {
  for (const std::size_t rows : {1U, 5U, 13U})
    for (const std::size_t columns : {3U, 48U, 150U})
      for (const std::size_t depth : {1U, 8U, 37U, 2100U}) {
        if (depth > 100 && rows != 5) continue;
        INFO(rows << " x " << columns << " x " << depth);
        const std::vector<float> a = normals<float>(rows * depth, 1),
                                 b = normals<float>(depth * columns, 2);
        AlignedVector<float> scratch;
        const Matrix<const float> left = rounded_to_bfloat16(dense(a.data(), rows, depth), scratch);
        std::vector<float> c(rows * columns, 5.0F), on_the_way = c, added = c;
        std::vector<Bfloat16Pair> memory(panels_size<Bfloat16Pair>((depth + 1) / 2, columns));
        gemm(left, copy_to_pairs(dense(b.data(), depth, columns), memory.data()),
             dense(c.data(), rows, columns));
        gemm_bfloat16(left, dense(b.data(), depth, columns),
                      dense(on_the_way.data(), rows, columns));
        gemm_bfloat16<Store::accumulate>(left, dense(b.data(), depth, columns),
                                         dense(added.data(), rows, columns));
        std::size_t wrong = 0;
        for (std::size_t i = 0; i < rows; ++i)
          for (std::size_t j = 0; j < columns; ++j) {
            const float sum = chain(a, b, i, j, depth, columns);
            wrong += c[i * columns + j] != sum;
            wrong += added[i * columns + j] != 5.0F + sum;
          }
        CHECK(wrong == 0);
        CHECK(on_the_way == c);
      }
}

TEST_CASE("a transposed left operand, and parts of an even depth, change no bit",
          "[model][bfloat16]") {
  constexpr std::size_t kRows = 19, kColumns = 40, kDepth = 33;
  const std::vector<float> a = normals<float>(kDepth * kRows, 1),
                           b = normals<float>(kDepth * kColumns, 2);
  std::vector<float> turned(a.size()), c(kRows * kColumns), parts(kRows * kColumns, 0.0F);
  for (std::size_t k = 0; k < kDepth; ++k)
    for (std::size_t i = 0; i < kRows; ++i) turned[i * kDepth + k] = a[k * kRows + i];
  AlignedVector<float> scratch;
  const Matrix<const float> left = rounded_to_bfloat16(dense(a.data(), kDepth, kRows), scratch);
  const Matrix<const float> right = dense(b.data(), kDepth, kColumns);
  gemm_bfloat16(transposed(left), right, dense(c.data(), kRows, kColumns));
  for (std::size_t k = 0; k < kDepth; k += 12) {
    const std::size_t depth = std::min<std::size_t>(12, kDepth - k);
    gemm_bfloat16<Store::extend>(transposed(left.rows_at(k, depth)), right.rows_at(k, depth),
                                 dense(parts.data(), kRows, kColumns));
  }
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < kRows; ++i)
    for (std::size_t j = 0; j < kColumns; ++j)
      wrong += c[i * kColumns + j] != chain(turned, b, i, j, kDepth, kColumns);
  CHECK(wrong == 0);
  CHECK(parts == c);
}

TEST_CASE("a product of bfloat16 whose shapes do not fit is refused", "[model][bfloat16]") {
  std::vector<float> memory(64);
  std::vector<Bfloat16Pair> pairs(64);
  const auto matrix = [&](std::size_t rows, std::size_t columns) {
    return dense(memory.data(), rows, columns);
  };
  const auto message = ContainsSubstring("shapes of a product");
  const Panels<Bfloat16Pair> panels = copy_to_pairs(matrix(3, 2), pairs.data());
  CHECK_NOTHROW(gemm(matrix(2, 3), panels, matrix(2, 2)));
  CHECK_NOTHROW(gemm(matrix(2, 4), panels, matrix(2, 2)));
  CHECK_THROWS_WITH(gemm(matrix(2, 5), panels, matrix(2, 2)), message);
  CHECK_THROWS_WITH(gemm(matrix(2, 3), panels, matrix(3, 2)), message);
  CHECK_THROWS_WITH(gemm_bfloat16(matrix(2, 3), matrix(4, 2), matrix(2, 2)), message);
}
