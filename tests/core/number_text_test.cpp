#include "dualagent/core/number_text.hpp"

#include <cfloat>
#include <clocale>
#include <cstdlib>
#include <limits>
#include <string>

#include "support/catch.hpp"

using namespace dualagent;

namespace {
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
}  // namespace

TEST_CASE("the shortest text reads back as the same number", "[core]") {
  CHECK(shortest_text(0.1) == "0.1");
  CHECK(shortest_text(-2.0) == "-2");
  CHECK(shortest_text(1e300) == "1e+300");
  for (const double value : {0.1 + 0.2, 1.0 / 3, DBL_MAX, DBL_MIN, DBL_TRUE_MIN, -0.0, 5e-324})
    CHECK(std::strtod(shortest_text(value).c_str(), nullptr) == value);
  CHECK(shortest_text(kNan) == "nan");
  CHECK(shortest_text(kInfinity) == "inf");
  CHECK(shortest_text(-kInfinity) == "-inf");
}

TEST_CASE("fixed text has its decimals and no minus before zero", "[core]") {
  CHECK(fixed_text(2.0 / 3.0, 2) == "0.67");
  CHECK(fixed_text(2.5, 0) == "2");  // ties to even, as printf
  CHECK(fixed_text(-0.001, 2) == "0.00");
  CHECK(fixed_text(-0.0, 0) == "0");
  CHECK(fixed_text(-0.5, 1) == "-0.5");
  CHECK(fixed_text(1.5, -3) == "2");
  CHECK(fixed_text(0.5, 1000).size() == 62);  // at most 60 decimals
  CHECK(fixed_text(DBL_MAX, 60).size() == 309 + 1 + 60);
  CHECK(fixed_text(-DBL_MAX, 60).size() == 1 + 309 + 1 + 60);
  CHECK(fixed_text(kNan, 2) == "nan");
}

TEST_CASE("trimmed text has no zeros at its end", "[core]") {
  CHECK(trimmed_text(0.5, 3) == "0.5");
  CHECK(trimmed_text(2.0, 3) == "2");
  CHECK(trimmed_text(100.0, 0) == "100");  // zeros before the point stay
  CHECK(trimmed_text(100.0, 2) == "100");
  CHECK(trimmed_text(0.125, 2) == "0.12");
  CHECK(trimmed_text(-0.0001, 2) == "0");
  CHECK(trimmed_text(-kInfinity, 2) == "-inf");
}

TEST_CASE("percent and clock texts read as people write them", "[core]") {
  CHECK(percent_text(0.895, 1) == "89.5 %");
  CHECK(percent_text(1.0, 0) == "100 %");
  CHECK(clock_text(0) == "0:00");
  CHECK(clock_text(83) == "1:23");
  CHECK(clock_text(59.6) == "1:00");
  CHECK(clock_text(3599) == "59:59");
  CHECK(clock_text(3600) == "1:00:00");
  CHECK(clock_text(3661) == "1:01:01");
  CHECK(clock_text(36000) == "10:00:00");
  CHECK(clock_text(-1) == "-:--");
  CHECK(clock_text(kNan) == "-:--");
  CHECK(clock_text(kInfinity) == "-:--");
}

TEST_CASE("number texts do not depend on the locale", "[core]") {
  const std::string before = std::setlocale(LC_ALL, nullptr);
  for (const char* name : {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8"})
    if (std::setlocale(LC_ALL, name) != nullptr) break;
  CHECK(shortest_text(0.5) == "0.5");
  CHECK(fixed_text(1234.5, 1) == "1234.5");
  std::setlocale(LC_ALL, before.c_str());
}

TEST_CASE("zeros fill a number up to its width and never cut it", "[core]") {
  CHECK(zero_padded(42, 6) == "000042");
  CHECK(zero_padded(0, 1) == "0");
  CHECK(zero_padded(1234567, 6) == "1234567");
  CHECK(zero_padded(std::numeric_limits<std::uint64_t>::max(), 0) == "18446744073709551615");
}

TEST_CASE("a number is read from the whole text or not at all", "[core]") {
  CHECK(parse_number<std::uint64_t>("18446744073709551615") == 18446744073709551615U);
  CHECK(parse_number<double>("1e+300") == 1e300);
  CHECK(parse_number<double>("-0.1") == -0.1);
  for (const char* const text : {"", "-1", "+1", " 1", "1 ", "1.0", "0x1", "18446744073709551616"})
    CHECK(!parse_number<std::uint64_t>(text));
  for (const char* const text : {"", " 1", "1 ", "1,5", "1e999", "one"})
    CHECK(!parse_number<double>(text));
  CHECK(!parse_number<unsigned>("4294967296"));
}
