#include "dualagent/report/chart_axis.hpp"

#include <limits>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("an axis is labelled at round numbers", "[report][svg]") {
  const auto ticks = [](double low, double high) {
    return detail::axis_ticks(low, high, 5, 0).values;
  };
  CHECK(ticks(0, 10) == std::vector<double>{0, 2, 4, 6, 8, 10});
  CHECK(ticks(0, 5) == std::vector<double>{0, 1, 2, 3, 4, 5});
  CHECK(ticks(-100, 100) == std::vector<double>{-100, -50, 0, 50, 100});
  const auto shares = detail::axis_ticks(0, 1, 4, 0, AxisUnit::percent);
  CHECK(shares.values == std::vector<double>{0, 0.25, 0.5, 0.75, 1});
  CHECK(detail::axis_ticks(0, 3, 100, 1).step == 1);  // steps of training are whole
}

TEST_CASE("labels have the digits that their distance needs", "[report][svg]") {
  CHECK(detail::tick_text(0, 0.25, AxisUnit::number) == "0");
  CHECK(detail::tick_text(0.2, 0.2, AxisUnit::number) == "0.2");
  CHECK(detail::tick_text(0.5, 0.25, AxisUnit::percent) == "50 %");
  CHECK(detail::tick_text(2000, 1000, AxisUnit::number) == "2k");
  CHECK(detail::value_text(0.5, AxisUnit::percent) == "50.0 %");
  CHECK(detail::value_text(0, AxisUnit::number) == "0");
  CHECK(detail::value_text(1e-5, AxisUnit::number) == "1.00e-05");
}

TEST_CASE("a range leaves out what is not finite", "[report][svg]") {
  detail::Range range;
  CHECK(range.empty());
  range.add(std::numeric_limits<double>::quiet_NaN());
  CHECK(range.empty());
  for (const double value : {2.0, -1.0, std::numeric_limits<double>::infinity()}) range.add(value);
  CHECK(range.low == -1.0);
  CHECK(range.high == 2.0);
}
