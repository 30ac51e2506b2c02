#include "dualagent/model/gemm.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "dualagent/core/random.hpp"
#include "support/catch.hpp"

using namespace dualagent;

namespace {

/// [rows, columns] with `leading` >= columns; entries beyond the columns are a sentinel.
template <class T>
struct Owned {
  std::size_t rows, columns, leading;
  std::vector<T> data;

  Owned(std::size_t r, std::size_t c, std::size_t slack)
      : rows(r), columns(c), leading(c + slack), data(r * leading, T{1234}) {}
  T& at(std::size_t i, std::size_t j) { return data[i * leading + j]; }
  const T& at(std::size_t i, std::size_t j) const { return data[i * leading + j]; }
  Matrix<T> view() { return {data.data(), rows, columns, leading}; }
  Matrix<const T> view() const { return {data.data(), rows, columns, leading}; }
};

template <class T>
Owned<T> random_matrix(std::size_t rows, std::size_t columns, std::size_t slack, std::uint64_t seed,
                       bool integers) {
  Owned<T> m(rows, columns, slack);
  const RandomStream random = RandomStream::from_seed(seed);
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < columns; ++j) {
      const std::uint64_t counter = i * columns + j;
      m.at(i, j) = static_cast<T>(integers ? static_cast<double>(random.below(counter, 9)) - 4.0
                                           : random.normal(counter));
    }
  return m;
}

/// A matrix in panels of one vector of columns; the last one is filled up with junk.
template <class T>
struct OwnedPanels {
  std::vector<T> data;
  std::size_t rows, columns;
  Panels<T> view() const { return {data.data(), rows, columns, rows * kernels::kPanelLanes<T>}; }
};
template <class T>
OwnedPanels<T> in_panels(const Owned<T>& b) {
  constexpr std::size_t kLanes = kernels::kPanelLanes<T>;
  std::vector<T> panels(panels_width<T>(b.columns) * b.rows, T{77});
  for (std::size_t k = 0; k < b.rows; ++k)
    for (std::size_t j = 0; j < b.columns; ++j)
      panels[j / kLanes * b.rows * kLanes + k * kLanes + j % kLanes] = b.at(k, j);
  return {panels, b.rows, b.columns};
}

/// c + sum_k a b, in double and plain loops.
template <class T>
double expected(const Owned<T>& a, const Owned<T>& b, double c, std::size_t i, std::size_t j) {
  for (std::size_t k = 0; k < b.rows; ++k)
    c += static_cast<double>(a.at(i, k)) * static_cast<double>(b.at(k, j));
  return c;
}

const std::size_t kRows[] = {1, 2, 3, 5, 11, 12, 13, 26};
const std::size_t kColumns[] = {1, 7, 8, 15, 16, 17, 33, 64, 100, 131};
const std::size_t kDepths[] = {1, 2, 19, 64};

/// Small integers make every sum exact, so that all elements must be equal, in whatever order.
template <class T, Store mode>
void check_exact(std::size_t rows, std::size_t columns, std::size_t depth, bool transposed) {
  const auto a = random_matrix<T>(rows, depth, 3, 1, true);
  const auto b = random_matrix<T>(depth, columns, 5, 2, true);
  const auto before = random_matrix<T>(rows, columns, 2, 3, true);
  auto c = before;
  if (transposed) {
    auto at = Owned<T>(depth, rows, 3);
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t k = 0; k < depth; ++k) at.at(k, i) = a.at(i, k);
    gemm<mode>(dualagent::transposed(at.view()), b.view(), c.view());
  } else {
    gemm<mode>(a.view(), b.view(), c.view());
  }
  Owned<T> from_panels = before;
  if (!transposed) {
    gemm<mode>(a.view(), in_panels(b).view(), from_panels.view());
  }
  std::size_t wrong = !transposed && from_panels.data != c.data;
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < columns; ++j) {
      const double start = mode != Store::overwrite ? static_cast<double>(before.at(i, j)) : 0.0;
      if (static_cast<double>(c.at(i, j)) != expected(a, b, start, i, j)) ++wrong;
    }
    for (std::size_t j = columns; j < c.leading; ++j)
      if (c.at(i, j) != T{1234}) ++wrong;  // beyond the row
  }
  INFO(rows << " x " << columns << " x " << depth << (transposed ? " transposed" : ""));
  CHECK(wrong == 0);
}

}  // namespace

TEMPLATE_TEST_CASE("gemm equals the triple loop for odd shapes and strides", "[model][gemm]", float,
                   double) {
  for (const std::size_t rows : kRows)
    for (const std::size_t columns : kColumns)
      for (const std::size_t depth : kDepths)
        for (const bool transposed : {false, true}) {
          check_exact<TestType, Store::overwrite>(rows, columns, depth, transposed);
          check_exact<TestType, Store::accumulate>(rows, columns, depth, transposed);
          check_exact<TestType, Store::extend>(rows, columns, depth, transposed);
        }
}

TEMPLATE_TEST_CASE("gemm is exact for shapes of several cache blocks", "[model][gemm]", float,
                   double) {
  check_exact<TestType, Store::overwrite>(70, 523, 300, false);
  check_exact<TestType, Store::accumulate>(133, 259, 1025, true);
}

TEMPLATE_TEST_CASE("gemm is exact where far rows of its operands are copied first", "[model][gemm]",
                   float, double) {
  for (const std::size_t rows : {47U, 48U, 300U})  // of A; where transposed, these are far apart
    for (const std::size_t columns : {127U, 131U, 400U}) {
      check_exact<TestType, Store::overwrite>(rows, columns, 67, true);
      check_exact<TestType, Store::accumulate>(rows, columns, 67, true);
      check_exact<TestType, Store::extend>(rows, columns, 67, true);
      check_exact<TestType, Store::extend>(rows, columns, 67, false);
    }
}

TEST_CASE("float gemm rounds like float arithmetic", "[model][gemm]") {
  const auto a = random_matrix<float>(13, 200, 0, 5, false);
  const auto b = random_matrix<float>(200, 37, 0, 6, false);
  Owned<float> c(13, 37, 0);
  gemm(a.view(), b.view(), c.view());
  for (std::size_t i = 0; i < c.rows; ++i)
    for (std::size_t j = 0; j < c.columns; ++j)
      CHECK(static_cast<double>(c.at(i, j)) == Approx(expected(a, b, 0, i, j)).margin(2e-5));
}

TEMPLATE_TEST_CASE("an element's bits depend on its row and column alone", "[model][gemm]", float,
                   double) {
  using T = TestType;
  for (const std::size_t depth : {67U, 600U}) {
    const auto a = random_matrix<T>(61, depth, 1, 7, false);
    const auto b = random_matrix<T>(depth, 301, 3, 8, false);
    Owned<T> whole(61, 301, 0);
    gemm(a.view(), b.view(), whole.view());
    std::size_t different = 0;
    Owned<T> from_panels(61, 301, 0);
    gemm(a.view(), in_panels(b).view(), from_panels.view());
    different += from_panels.data != whole.data;
    for (const std::size_t rows : {1U, 2U, 3U, 7U, 12U, 13U, 24U})
      for (const std::size_t columns : {1U, 15U, 16U, 64U, 100U, 300U})
        for (std::size_t i = 0; i + rows <= a.rows; i += 9) {
          const std::size_t first = (i * 5) % (b.columns - columns + 1);
          Owned<T> part(rows, columns, 0);
          gemm(a.view().rows_at(i, rows), b.view().columns_at(first, columns), part.view());
          for (std::size_t r = 0; r < rows; ++r)
            different +=
                std::memcmp(&part.at(r, 0), &whole.at(i + r, first), columns * sizeof(T)) != 0;
        }
    CHECK(different == 0);
  }
}

TEMPLATE_TEST_CASE("accumulating adds the finished product to what was there", "[model][gemm]",
                   float, double) {
  using T = TestType;
  const auto a = random_matrix<T>(14, 90, 0, 9, false);
  const auto b = random_matrix<T>(90, 70, 0, 10, false);
  const auto before = random_matrix<T>(14, 70, 0, 11, false);
  Owned<T> product(14, 70, 0);
  auto sum = before;
  gemm(a.view(), b.view(), product.view());
  gemm<Store::accumulate>(a.view(), b.view(), sum.view());
  std::size_t different = 0;
  for (std::size_t i = 0; i < sum.data.size(); ++i)
    different += sum.data[i] != before.data[i] + product.data[i];
  CHECK(different == 0);
}

TEMPLATE_TEST_CASE("a product in parts of its depth has the bits of the whole", "[model][gemm]",
                   float, double) {
  using T = TestType;
  const auto a = random_matrix<T>(15, 203, 0, 14, false);
  const auto b = random_matrix<T>(203, 75, 2, 15, false);
  Owned<T> whole(15, 75, 1), parts(15, 75, 1), from_panels(15, 75, 1);
  gemm(a.view(), b.view(), whole.view());
  for (std::size_t i = 0; i < 15; ++i)
    for (std::size_t j = 0; j < 75; ++j) parts.at(i, j) = from_panels.at(i, j) = T{0};
  for (std::size_t k = 0; k < 203; k += 50) {
    const std::size_t depth = std::min<std::size_t>(50, 203 - k);
    Owned<T> part(depth, 75, 0);
    for (std::size_t i = 0; i < depth; ++i)
      for (std::size_t j = 0; j < 75; ++j) part.at(i, j) = b.at(k + i, j);
    const Matrix<const T> left = a.view().columns_at(k, depth);
    gemm<Store::extend>(left, b.view().rows_at(k, depth), parts.view());
    gemm<Store::extend>(left, in_panels(part).view(), from_panels.view());
  }
  CHECK(parts.data == whole.data);
  CHECK(from_panels.data == whole.data);
}

TEMPLATE_TEST_CASE("gemv multiplies every row by a matrix of its own with the bits of gemm",
                   "[model][gemm]", float, double) {
  using T = TestType;
  constexpr std::size_t depth = 45;
  for (const std::size_t heads : {1U, 2U, 3U, 4U, 7U, 8U})
    for (const std::size_t columns : {6U, 16U, 32U, 48U, 83U}) {
      const auto a = random_matrix<T>(heads, depth, 2, 12, false);
      const auto all = random_matrix<T>(heads * depth, columns, 1, 13, false);
      const std::size_t next = depth * all.leading;
      Owned<T> c(heads, columns, 3), expected(heads, columns, 3);
      gemv(a.view(), all.view().rows_at(0, depth), next, c.view());
      for (std::size_t h = 0; h < heads; ++h)
        gemm(a.view().rows_at(h, 1), all.view().rows_at(h * depth, depth),
             expected.view().rows_at(h, 1));
      INFO(heads << " heads, " << columns << " columns");
      CHECK(c.data == expected.data);

      const std::size_t padded = panels_width<T>(columns);
      std::vector<T> panels;
      for (std::size_t h = 0; h < heads; ++h) {
        Owned<T> one(depth, columns, 0);
        for (std::size_t k = 0; k < depth; ++k)
          for (std::size_t j = 0; j < columns; ++j) one.at(k, j) = all.at(h * depth + k, j);
        const std::vector<T> part = in_panels(one).data;
        panels.insert(panels.end(), part.begin(), part.end());
      }
      Owned<T> wide(heads, padded, 0);
      const Panels<T> first{panels.data(), depth, columns, depth * kernels::kPanelLanes<T>};
      gemv(a.view(), first, depth * padded, wide.view());
      std::size_t different = 0;
      for (std::size_t h = 0; h < heads; ++h)
        for (std::size_t j = 0; j < columns; ++j) different += wide.at(h, j) != expected.at(h, j);
      CHECK(different == 0);

      Owned<T> parts(heads, columns, 3);  // in two parts of the depth
      gemv(a.view().columns_at(0, 19), all.view().rows_at(0, 19), next, parts.view());
      gemv<Store::extend>(a.view().columns_at(19, depth - 19), all.view().rows_at(19, depth - 19),
                          next, parts.view());
      CHECK(parts.data == expected.data);
    }
}

TEST_CASE("a product whose shapes do not fit is refused", "[model][gemm]") {
  std::vector<float> memory(64);
  const auto matrix = [&](std::size_t rows, std::size_t columns) {
    return dense(memory.data(), rows, columns);
  };
  const auto message = ContainsSubstring("shapes of a product");
  CHECK_THROWS_WITH(gemm(matrix(2, 3), matrix(4, 5), matrix(2, 5)), message);
  CHECK_THROWS_WITH(gemm(matrix(2, 3), matrix(3, 5), matrix(3, 5)), message);
  CHECK_THROWS_WITH(gemm(matrix(2, 3), matrix(3, 5), matrix(2, 4)), message);
  CHECK_THROWS_WITH(gemm(transposed(matrix(2, 3)), matrix(3, 5), matrix(2, 5)), message);
  CHECK_THROWS_WITH(gemv(matrix(2, 3), matrix(4, 5), 20, matrix(2, 5)), message);
  const Panels<float> panels{memory.data(), 3, 2, 3 * kernels::kPanelLanes<float>};
  CHECK_THROWS_WITH(gemm(matrix(2, 3), panels, matrix(2, kernels::kPanelLanes<float> + 1)),
                    message);
  CHECK_THROWS_WITH(gemv(matrix(2, 3), panels, 0, matrix(2, 1)), message);
}

TEST_CASE("a depth of 0 gives 0 or leaves the sum alone", "[model][gemm]") {
  const std::vector<float> a(4), b(40);
  std::vector<float> c(40, 3.0F);
  const Matrix<const float> left{a.data(), 2, 0, 1};
  const Matrix<const float> right{b.data(), 0, 20, 20};
  gemm<Store::accumulate>(left, right, dense(c.data(), 2, 20));
  CHECK(c == std::vector<float>(40, 3.0F));
  gemm(left, right, dense(c.data(), 2, 20));
  CHECK(c == std::vector<float>(40, 0.0F));
}
