#include "dualagent/model/panels.hpp"

#include <cstddef>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;

namespace {

/// Entry (i, j) of [rows, columns] with two spare columns is 1 + 100 i + j.
template <class T>
std::vector<T> numbered(std::size_t rows, std::size_t columns) {
  std::vector<T> data(rows * (columns + 2), T{-1});
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < columns; ++j)
      data[i * (columns + 2) + j] = static_cast<T>(1 + 100 * i + j);
  return data;
}

/// Element (k, j) as the docstring of Panels places it.
template <class T>
T at(const Panels<T>& panels, std::size_t k, std::size_t j) {
  constexpr std::size_t lanes = kernels::kPanelLanes<T>;
  return panels.data[j / lanes * panels.stride + k * lanes + j % lanes];
}

}  // namespace

TEMPLATE_TEST_CASE("panels hold every element, or its transpose, and zeros beyond",
                   "[model][panels]", float, double) {
  using T = TestType;
  for (const std::size_t rows : {1U, 3U, 17U, 32U})
    for (const std::size_t columns : {1U, 5U, 16U, 31U}) {
      INFO(rows << " x " << columns);
      const std::vector<T> data = numbered<T>(rows, columns);
      const Matrix<const T> matrix{data.data(), rows, columns, columns + 2};
      std::vector<T> to(panels_size<T>(rows, columns), T{77});
      const Panels<T> plain = copy_to_panels<T>(matrix, to.data());
      std::vector<T> turned_to(panels_size<T>(columns, rows), T{77});
      const Panels<T> turned = transpose_to_panels<T>(matrix, turned_to.data());
      CHECK(plain.rows == rows);
      CHECK(plain.columns == columns);
      CHECK(turned.rows == columns);
      CHECK(turned.columns == rows);
      std::size_t wrong = 0;
      for (std::size_t i = 0; i < rows; ++i)
        for (std::size_t j = 0; j < panels_width<T>(columns); ++j)
          wrong += at(plain, i, j) != (j < columns ? static_cast<T>(1 + 100 * i + j) : T{0});
      for (std::size_t j = 0; j < columns; ++j)
        for (std::size_t i = 0; i < panels_width<T>(rows); ++i)
          wrong += at(turned, j, i) != (i < rows ? static_cast<T>(1 + 100 * i + j) : T{0});
      CHECK(wrong == 0);
    }
}

TEST_CASE("columns_at begins at a panel", "[model][panels]") {
  constexpr std::size_t lanes = kernels::kPanelLanes<float>;
  const std::vector<float> data = numbered<float>(2, 3 * lanes);
  std::vector<float> to(panels_size<float>(2, 3 * lanes));
  const Panels<float> panels = copy_to_panels<float>(
      Matrix<const float>{data.data(), 2, 3 * lanes, 3 * lanes + 2}, to.data());
  const Panels<float> part = panels.columns_at(lanes, lanes + 1);
  CHECK(part.columns == lanes + 1);
  CHECK(at(part, 1, lanes) == 1 + 100 + 2 * static_cast<float>(lanes));
}
