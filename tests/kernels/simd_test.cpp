#include "dualagent/kernels/simd.inl"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "support/catch.hpp"

namespace kernels = dualagent::kernels;

namespace {

/// exp of one number, computed in the given lane among other numbers.
template <class T>
T exp_in_lane(T x, std::size_t lane, T others) {
  std::vector<T> lanes(kernels::kLanes<T>, others);
  lanes[lane] = x;
  kernels::store<T>(lanes.data(), kernels::exp(kernels::load<T>(lanes.data())));
  return lanes[lane];
}

}  // namespace

TEST_CASE("float exp is within 2e-7 of the true value over its range", "[kernels][simd]") {
  double worst = 0;
  constexpr int kSteps = 2'000'000;
  for (int i = 0; i <= kSteps; ++i) {
    const float x = -87.0F + 175.0F * static_cast<float>(i) / static_cast<float>(kSteps);
    const double got = static_cast<double>(exp_in_lane(x, 0, 0.0F));
    const double expected = std::exp(static_cast<double>(x));
    worst = std::max(worst, std::abs(got - expected) / expected);
  }
  CHECK(worst < 2e-7);
  CHECK(worst > 1e-9);  // a float cannot be closer: the loop did run
}

TEST_CASE("float exp is 1 at 0, 0 below -87 and finite above 88", "[kernels][simd]") {
  CHECK(exp_in_lane(0.0F, 0, 5.0F) == 1.0F);
  CHECK(exp_in_lane(-0.0F, 0, 5.0F) == 1.0F);
  CHECK(exp_in_lane(-87.1F, 0, 5.0F) == 0.0F);
  CHECK(exp_in_lane(-1e30F, 0, 5.0F) == 0.0F);
  CHECK(exp_in_lane(-std::numeric_limits<float>::infinity(), 0, 5.0F) == 0.0F);
  CHECK(exp_in_lane(1e30F, 0, 5.0F) == Approx(std::exp(88.0)).epsilon(1e-6));
}

TEST_CASE("double exp is std::exp", "[kernels][simd]") {
  for (const double x : {-700.0, -1.0, -1e-9, 0.0, 0.3, 1.0, 700.0})
    CHECK(exp_in_lane(x, 0, 1.0) == std::exp(x));
}

TEMPLATE_TEST_CASE("the end of a row is loaded and stored without touching what lies behind it",
                   "[kernels][simd]", float, double) {
  using T = TestType;
  constexpr std::size_t kLanes = kernels::kLanes<T>;
  for (std::size_t count = 0; count < kLanes; ++count) {
    std::vector<T> row(count);  // nothing behind it: AddressSanitizer sees a longer read or write
    for (std::size_t i = 0; i < count; ++i) row[i] = static_cast<T>(i + 1);
    const kernels::Simd<T> v = kernels::load_end(row.data(), count, T(-7));
    for (std::size_t i = 0; i < kLanes; ++i)
      CHECK(v[i] == (i < count ? static_cast<T>(i + 1) : T(-7)));
    std::vector<T> stored(count);
    kernels::store_end<T>(stored.data(), count, v);
    CHECK(stored == row);
    std::vector<T> longer(kLanes, T(9));
    kernels::store_end<T>(longer.data(), count, v);
    for (std::size_t i = 0; i < kLanes; ++i) CHECK(longer[i] == (i < count ? row[i] : T(9)));
  }
}

TEMPLATE_TEST_CASE("exp gives the same bits in every lane, whatever the others hold",
                   "[kernels][simd]", float, double) {
  using T = TestType;
  for (const T x : {T(-86.5), T(-3.25), T(-0.3), T(0.7), T(12.75)})
    for (std::size_t lane = 0; lane < kernels::kLanes<T>; ++lane) {
      CHECK(exp_in_lane<T>(x, lane, T(0)) == exp_in_lane<T>(x, 0, T(0)));
      CHECK(exp_in_lane<T>(x, lane, T(-1000)) == exp_in_lane<T>(x, 0, T(0)));
    }
}

TEMPLATE_TEST_CASE("padded is the next multiple of the lanes", "[kernels][simd]", float, double) {
  constexpr std::size_t lanes = kernels::kLanes<TestType>;
  CHECK(lanes * sizeof(TestType) == kernels::kVectorBytes);
  CHECK(kernels::padded<TestType>(0) == 0);
  CHECK(kernels::padded<TestType>(1) == lanes);
  CHECK(kernels::padded<TestType>(lanes) == lanes);
  CHECK(kernels::padded<TestType>(lanes + 1) == 2 * lanes);
  CHECK(kernels::padded<TestType>(5 * lanes - 1) == 5 * lanes);
}

TEMPLATE_TEST_CASE("sum_lanes adds every lane once", "[kernels][simd]", float, double) {
  using T = TestType;
  std::vector<T> values(kernels::kLanes<T>);
  T power{1};
  for (T& value : values) value = power, power *= T{2};  // 1 + 2 + 4 + ... = 2^lanes - 1
  CHECK(kernels::sum_lanes<T>(kernels::load<T>(values.data())) == power - T{1});
}

TEMPLATE_TEST_CASE("broadcast, load and store move values unchanged", "[kernels][simd]", float,
                   double) {
  using T = TestType;
  std::vector<T> values(kernels::kLanes<T> + 2, T{-7});
  kernels::store<T>(values.data() + 1, kernels::broadcast(T(0.1)));  // unaligned
  CHECK(values.front() == T{-7});
  CHECK(values.back() == T{-7});
  for (std::size_t i = 1; i + 1 < values.size(); ++i) CHECK(values[i] == T(0.1));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<T>(i);
  const kernels::Simd<T> loaded = kernels::load<T>(values.data() + 2);
  for (std::size_t i = 0; i < kernels::kLanes<T>; ++i) CHECK(loaded[i] == static_cast<T>(i + 2));
}

TEMPLATE_TEST_CASE("multiply_add rounds lanes and scalars alike", "[kernels][simd]", float,
                   double) {
  using T = TestType;
  const T epsilon = std::numeric_limits<T>::epsilon();
  const T a = T{1} + epsilon;  // a * a - 1 - 2 epsilon is epsilon^2 if rounded once, else 0
  const T c = -T{1} - T{2} * epsilon;
  const kernels::Simd<T> lanes =
      kernels::multiply_add(kernels::broadcast(a), kernels::broadcast(a), kernels::broadcast(c));
  const T scalar = kernels::multiply_add_scalar(a, a, c);
  for (std::size_t i = 0; i < kernels::kLanes<T>; ++i) CHECK(lanes[i] == scalar);
  CHECK((scalar == epsilon * epsilon || scalar == T{0}));
  CHECK(kernels::multiply_add_scalar(T{2}, T{3}, T{4}) == T{10});
}

TEMPLATE_TEST_CASE("larger and smaller go lane by lane and give the second where one is NaN",
                   "[kernels][simd]", float, double) {
  using T = TestType;
  const T nan = std::numeric_limits<T>::quiet_NaN();
  const auto one = kernels::broadcast(T{1});
  const auto two = kernels::broadcast(T{2});
  auto mixed = two;
  mixed[0] = T{0};
  CHECK(kernels::max(one, mixed)[0] == T{1});
  CHECK(kernels::max(one, mixed)[1] == T{2});
  CHECK(kernels::max(kernels::broadcast(nan), one)[0] == T{1});
  CHECK(std::isnan(kernels::max(one, kernels::broadcast(nan))[1]));
  if constexpr (std::is_same_v<T, float>) {
    CHECK(kernels::min(one, mixed)[0] == T{0});
    CHECK(kernels::min(one, mixed)[1] == T{1});
    CHECK(kernels::min(kernels::broadcast(nan), one)[0] == T{1});
    CHECK(std::isnan(kernels::min(one, kernels::broadcast(nan))[1]));
  }
}

TEST_CASE("float exp of NaN is NaN", "[kernels][simd]") {
  CHECK(std::isnan(exp_in_lane(std::numeric_limits<float>::quiet_NaN(), 1, 0.0F)));
}

TEMPLATE_TEST_CASE("columns of a block of rows are loaded as they stand", "[kernels][simd]", float,
                   double) {
  using T = TestType;
  constexpr std::size_t kRows = kernels::kLanes<T>, kColumns = kernels::kPiece<T>, kStride = 7;
  std::vector<T> matrix(kRows * kStride);
  for (std::size_t i = 0; i < matrix.size(); ++i) matrix[i] = static_cast<T>(i);
  kernels::Simd<T> columns[kColumns];
  kernels::load_columns(matrix.data() + 2, kStride, columns);
  for (std::size_t c = 0; c < kColumns; ++c)
    for (std::size_t r = 0; r < kRows; ++r) CHECK(columns[c][r] == matrix[r * kStride + 2 + c]);
}
