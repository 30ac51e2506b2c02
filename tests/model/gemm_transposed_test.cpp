#include "dualagent/model/gemm_transposed.hpp"

#include <cmath>
#include <cstddef>
#include <vector>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/normals.hpp"

using namespace dualagent;

namespace {

/// One chain of multiply-adds over k in order, as `gemm` promises it.
template <class T>
T chain(const T* a, const T* b, std::size_t depth, T sum) {
  for (std::size_t k = 0; k < depth; ++k)
    sum = cpu::products_are_fused() ? std::fma(a[k], b[k], sum) : a[k] * b[k] + sum;
  return sum;
}

/// Elements of C that differ in any bit from the chains, or that were written beside C.
template <class T, Store mode>
std::size_t wrong(std::size_t rows, std::size_t columns, std::size_t depth) {
  const std::vector<T> a = normals<T>(rows * (depth + 3), 1);
  const std::vector<T> b = normals<T>(columns * (depth + 1), 2);
  const std::vector<T> before = normals<T>(rows * (columns + 2), 3);
  std::vector<T> c = before;
  gemm_transposed<mode>(Matrix<const T>{a.data(), rows, depth, depth + 3},
                        Matrix<const T>{b.data(), columns, depth, depth + 1},
                        Matrix<T>{c.data(), rows, columns, columns + 2});
  std::size_t count = 0;
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < columns + 2; ++j) {
      const T was = before[i * (columns + 2) + j];
      T expected = was;
      if (j < columns) {
        const T sum = chain(a.data() + i * (depth + 3), b.data() + j * (depth + 1), depth,
                            mode == Store::extend ? was : T{0});
        expected = mode == Store::accumulate ? was + sum : sum;
      }
      count += c[i * (columns + 2) + j] != expected;
    }
  return count;
}

}  // namespace

TEMPLATE_TEST_CASE("a product with a transposed matrix has the bits of chains in order",
                   "[model][gemm]", float, double) {
  using T = TestType;
  for (const std::size_t rows : {0U, 1U, 2U, 3U, 4U, 5U, 8U, 9U, 15U, 16U, 17U, 30U})
    for (const std::size_t columns : {1U, 15U, 16U, 33U, 64U, 100U})
      for (const std::size_t depth : {1U, 3U, 16U, 37U, 80U}) {
        INFO(rows << " x " << columns << " x " << depth);
        CHECK(wrong<T, Store::overwrite>(rows, columns, depth) == 0);
        CHECK(wrong<T, Store::accumulate>(rows, columns, depth) == 0);
        CHECK(wrong<T, Store::extend>(rows, columns, depth) == 0);
      }
}

TEST_CASE("more columns than the cache holds are taken in blocks", "[model][gemm]") {
  CHECK(wrong<float, Store::overwrite>(3, 1030, 600) == 0);
  CHECK(wrong<float, Store::overwrite>(20, 1030, 600) == 0);
}

TEST_CASE("shapes that do not fit are refused", "[model][gemm]") {
  const std::vector<float> a(12), b(12);
  std::vector<float> c(12);
  const auto product = [&](std::size_t depth, std::size_t columns) {
    return error_of([&] {
      gemm_transposed(dense(a.data(), 2, 3), dense(b.data(), 4, depth),
                      dense(c.data(), 2, columns));
    });
  };
  CHECK(product(3, 4) == "no error");
  CHECK_THAT(product(2, 4), ContainsSubstring("gemm_transposed"));
  CHECK_THAT(product(3, 3), ContainsSubstring("do not fit"));
}
