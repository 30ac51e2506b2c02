#include "dualagent/kernels/combine.inl"

#include <initializer_list>
#include <limits>
#include <vector>

#include "dualagent/cpu/loops.inl"
#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("moments of two halves combine to those of the whole", "[kernels]") {
  const std::vector<double> x{3, 1, 4, 1, 5, 9, 2, 6};  // mean 31/8, squares 173 - 961/8
  using Moments = kernels::Moments<double>;
  const auto of = [&](std::size_t begin, std::size_t end) {
    return cpu::Loops::map_reduce(end - begin, Moments{},
                                  [&](std::size_t i) { return Moments::of(x[begin + i]); });
  };
  for (const std::size_t cut : {0u, 1u, 3u, 8u}) {
    const auto whole = Moments{}(of(0, cut), of(cut, 8));
    CHECK(whole.count == 8);
    CHECK(whole.mean == Approx(31.0 / 8));
    CHECK(whole.squares == Approx(173 - 961.0 / 8));
    CHECK(whole.variance() == Approx((173 - 961.0 / 8) / 7));
  }
  CHECK(Moments::of(5.0).variance() == 0.0);
}

TEST_CASE("numbers are all equal up to rounding", "[kernels]") {
  const auto equal = []<class T>(std::initializer_list<T> x) {
    auto moments = kernels::Moments<T>::identity();
    for (const T value : x)
      moments = kernels::Moments<T>{}(moments, kernels::Moments<T>::of(value));
    return moments.all_equal();
  };
  CHECK(equal(std::initializer_list<double>{}));
  CHECK(equal({5.0}));
  CHECK(equal({0.3, 0.1 + 0.2, 0.3}));
  CHECK(equal({3e8, 3e8 + 1e-7}));
  CHECK(equal({0.3F, 0.1F + 0.2F}));
  CHECK_FALSE(equal({0.3, 0.3 + 1e-8}));
  CHECK_FALSE(equal({0.3F, 0.3F + 1e-5F}));
  CHECK_FALSE(equal({-1e9, -1e9 + 10}));
  CHECK_FALSE(equal({1.0, std::numeric_limits<double>::quiet_NaN()}));
}
