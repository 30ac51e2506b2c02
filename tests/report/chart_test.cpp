#include "dualagent/report/chart.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;

namespace {
const double kNan = std::numeric_limits<double>::quiet_NaN();
}

TEST_CASE("a trailing mean looks back, not ahead", "[report][chart]") {
  CHECK(trailing_mean(std::vector<double>{1, 3, 5}, 2) == std::vector<double>{1, 2, 4});
  CHECK(trailing_mean(std::vector<double>{1, 3, 5}, 1) == std::vector<double>{1, 3, 5});
  CHECK(trailing_mean(std::vector<double>{1, 3, 5, 7}, 100) == std::vector<double>{1, 2, 3, 4});
  CHECK(trailing_mean({}, 3).empty());
  CHECK_THROWS_WITH(trailing_mean(std::vector<double>{1}, 0), ContainsSubstring("window of 0"));
}

TEST_CASE("a trailing mean leaves out what is not a number", "[report][chart]") {
  const auto means = trailing_mean(std::vector<double>{2, kNan, 4, kNan, kNan}, 2);
  CHECK(means[0] == 2);
  CHECK(means[1] == 2);
  CHECK(means[2] == 4);
  CHECK(means[3] == 4);
  CHECK(std::isnan(means[4]));
}

TEST_CASE("the curve of a metric has the steps that have it", "[report][chart]") {
  const std::vector<MetricsRecord> records{{.step = 0, .numbers = {{"loss", 2.0}}, .texts = {}},
                                           {.step = 1, .numbers = {}, .texts = {{"loss", "x"}}},
                                           {.step = 7, .numbers = {{"loss", 1.0}}, .texts = {}}};
  const Series series = metric_series(records, "loss", "dual");
  CHECK(series.name == "dual");
  CHECK(series.x == std::vector<double>{0, 7});
  CHECK(series.y == std::vector<double>{2, 1});
  CHECK(metric_series(records, "reward", "dual").x.empty());
}
