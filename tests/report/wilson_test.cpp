#include "dualagent/report/wilson.hpp"

#include <cmath>
#include <limits>

#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("intervals are the published ones", "[report][wilson]") {
  struct Case {
    Proportion counted;
    double low, high;
  };
  // The last three: R. G. Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
  for (const Case& c : {Case{{198, 200}, 0.964, 0.997}, Case{{13, 200}, 0.038, 0.108},
                        Case{{81, 263}, 0.2553, 0.3662}, Case{{15, 148}, 0.0624, 0.1605},
                        Case{{1, 29}, 0.0061, 0.1718}}) {
    const Interval interval = wilson_interval(c.counted);
    CHECK(interval.low == Approx(c.low).margin(6e-4));
    CHECK(interval.high == Approx(c.high).margin(6e-4));
  }
}

TEST_CASE("the bounds are where the score test just rejects", "[report][wilson]") {
  for (const std::size_t n : {1u, 2u, 7u, 200u, 100'000u})
    for (const std::size_t k : {std::size_t{0}, n / 3, n / 2, n}) {
      const Interval interval = wilson_interval({k, n});
      const double p = static_cast<double>(k) / static_cast<double>(n);
      for (const double bound : {interval.low, interval.high}) {
        if (bound == 0.0 || bound == 1.0) continue;
        const double deviation = std::sqrt(bound * (1 - bound) / static_cast<double>(n));
        CHECK(std::abs(p - bound) / deviation == Approx(z_95_percent).epsilon(1e-6));
      }
      CHECK(interval.low <= p);
      CHECK(interval.high >= p);
      const Interval mirrored = wilson_interval({n - k, n});
      CHECK(mirrored.low == Approx(1 - interval.high).margin(1e-12));
      CHECK(mirrored.high == Approx(1 - interval.low).margin(1e-12));
    }
}

TEST_CASE("no failure and no success still leave doubt", "[report][wilson]") {
  const Interval none = wilson_interval({0, 10});
  CHECK(none.low == 0.0);
  CHECK(none.high == Approx(0.2775).margin(1e-4));  // z^2 / (n + z^2)
  const Interval all = wilson_interval({10, 10});
  CHECK(all.low == Approx(1 - 0.2775).margin(1e-4));
  CHECK(all.high == 1.0);
}

TEST_CASE("nothing measured is the whole range", "[report][wilson]") {
  const Interval interval = wilson_interval({0, 0});
  CHECK(interval.low == 0.0);
  CHECK(interval.high == 1.0);
  CHECK(!Proportion{}.measured());
  CHECK(Proportion{}.fraction() == 0.0);
  CHECK(Proportion{3, 4}.fraction() == 0.75);
}

TEST_CASE("a larger quantile is a wider interval", "[report][wilson]") {
  const Interval narrow = wilson_interval({50, 100}, 1.0);
  const Interval wide = wilson_interval({50, 100}, 3.0);
  CHECK(narrow.low == Approx(0.5 - 0.5 / std::sqrt(101.0)));  // p = 1/2: z / (2 sqrt(n + z^2))
  CHECK(wide.high == Approx(0.5 + 1.5 / std::sqrt(109.0)));
}

TEST_CASE("impossible counts and quantiles are refused", "[report][wilson]") {
  CHECK_THROWS_WITH(wilson_interval({3, 2}), ContainsSubstring("3 successes among 2 trials"));
  for (const double z : {0.0, -1.0, std::numeric_limits<double>::quiet_NaN(),
                         std::numeric_limits<double>::infinity()})
    CHECK_THROWS_WITH(wilson_interval({1, 2}, z), ContainsSubstring("must be positive"));
}
