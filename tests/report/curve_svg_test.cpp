#include "dualagent/report/curve_svg.hpp"

#include <cstdlib>
#include <limits>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/tag_balance.hpp"

using namespace dualagent;

namespace {

const double kNan = std::numeric_limits<double>::quiet_NaN();
const double kInfinity = std::numeric_limits<double>::infinity();

std::string xml_problem(const std::string& svg) {
  return TagBalance::problem(svg, TagBalance::Kind::xml);
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
    ++found;
  return found;
}

Chart example() {
  return {.title = "Success",
          .y_label = "share",
          .unit = AxisUnit::percent,
          .y_min = 0.0,
          .y_max = 1.0,
          .series = {{.name = "dual", .x = {0, 1, 2}, .y = {0.25, 0.5, 1.0}},
                     {.name = "frozen", .x = {0, 1, 2}, .y = {0.25, 0.25, 0.25}}}};
}

/// Numbers of the first `d` of a path: M x y L x y ...
std::vector<double> points_of_path(const std::string& svg, std::size_t which) {
  std::size_t at = 0;
  for (std::size_t i = 0; i <= which; ++i) at = svg.find(" d=\"", at + 1);
  std::string path = svg.substr(at + 4, svg.find('"', at + 4) - at - 4);
  for (char& c : path)
    if (c == 'M' || c == 'L') c = ' ';
  std::vector<double> numbers;
  char* next = path.data();
  for (char* end = nullptr; *next != '\0'; next = end) {
    const double value = std::strtod(next, &end);
    if (end == next) break;
    numbers.push_back(value);
  }
  return numbers;
}

}  // namespace

TEST_CASE("the tag checker finds what it is made to find", "[report][svg]") {
  using Kind = TagBalance::Kind;
  CHECK(TagBalance::problem("<a b=\"&lt;\">x<c/></a>", Kind::xml).empty());
  for (const char* broken :
       {"<a>", "</a>", "<a><b></a></b>", "<a b=c></a>", "<a b></a>", "<a b=\"<\"></a>",
        "<a>&nbsp;</a>", "<a>\x01</a>", "<a b=\"1\" b=\"2\"></a>", "<a", "<>", "<a b=\"1></a>"})
    CHECK(!TagBalance::problem(broken, Kind::xml).empty());
}

TEST_CASE("a chart is well-formed XML in all its forms", "[report][svg]") {
  for (const SvgTheme theme : {SvgTheme::automatic, SvgTheme::light, SvgTheme::dark}) {
    const std::string svg = curve_svg(example(), {.theme = theme});
    CHECK(xml_problem(svg) == "");
    CHECK(svg.rfind("<svg xmlns=\"http://www.w3.org/2000/svg\"", 0) == 0);
    CHECK(count(svg, "<path") == 2);
    CHECK(count(svg, "<circle") == 6);
    CHECK(count(svg, ">dual</text>") == 1);
    CHECK(count(svg, ">frozen</text>") == 1);
  }
}

TEST_CASE("points stand where their values are", "[report][svg]") {
  const std::string svg = curve_svg(example());
  const std::vector<double> flat = points_of_path(svg, 0);  // the last series is drawn first
  const std::vector<double> rising = points_of_path(svg, 1);
  REQUIRE(flat.size() == 6);
  REQUIRE(rising.size() == 6);
  CHECK(rising[0] < rising[2]);
  CHECK(rising[4] - rising[2] == Approx(rising[2] - rising[0]).margin(0.02));
  CHECK(flat[1] == flat[3]);
  CHECK(rising[1] == flat[1]);
  // Upwards is smaller: 0.25 -> 0.5 -> 1 are one and two thirds of the way.
  CHECK(rising[5] < rising[3]);
  CHECK((rising[1] - rising[5]) / (rising[1] - rising[3]) == Approx(3.0).margin(0.01));
  for (std::size_t i = 0; i < 6; i += 2) {
    CHECK(rising[i] > 0);
    CHECK(rising[i] < 820);
    CHECK(rising[i + 1] > 0);
    CHECK(rising[i + 1] < 400);
  }
}

TEST_CASE("series of one colour differ in their dashes", "[report][svg]") {
  Chart chart{.title = "Many"};
  for (std::size_t i = 0; i < 17; ++i)
    chart.series.push_back({.name = "s" + std::to_string(i), .x = {0, 1}, .y = {0, double(i)}});
  // A line and its key in the legend each.
  const std::string svg = curve_svg(chart);
  CHECK(count(svg, "class=\"c-line0\"") == 6);
  CHECK(count(svg, "stroke-dasharray=\"7 5\"") == 16);
  CHECK(count(svg, "stroke-dasharray=\"1 5\"") == 2);
  chart.series.resize(8);
  CHECK(count(curve_svg(chart), "stroke-dasharray") == 0);
  chart.series.resize(1);
  chart.series[0].colour = 11;
  CHECK(count(curve_svg(chart), "class=\"c-line3\"") == 2);
  CHECK(count(curve_svg(chart), "stroke-dasharray=\"7 5\"") == 2);
}

TEST_CASE("axes are labelled with round numbers, tooltips with values", "[report][svg]") {
  const std::string svg = curve_svg(example());
  for (const char* label : {">0 %<", ">20 %<", ">100 %<", ">step<", ">share<", ">Success<"})
    CHECK_THAT(svg, ContainsSubstring(label));
  CHECK_THAT(svg, ContainsSubstring("<title>dual, step 1: 50.0 %</title>"));
  CHECK_THAT(svg,
             ContainsSubstring("aria-label=\"Success. Last values: dual 100.0 %, frozen 25.0 %\""));
}

TEST_CASE("values that are not finite leave gaps and never reach the file", "[report][svg]") {
  Chart chart = example();
  chart.series[0].y = {0.25, kNan, kInfinity};
  chart.series[1].x[1] = kNan;
  const std::string svg = curve_svg(chart);
  CHECK(xml_problem(svg) == "");
  CHECK(svg.find("nan") == std::string::npos);
  CHECK(svg.find("inf") == std::string::npos);
  CHECK(count(svg, "<circle") == 1 + 2);
  CHECK(count(svg, "h0") == 1 + 2);  // lonely points are dots
}

TEST_CASE("charts of nothing, of one point, of huge and of tiny values are drawn",
          "[report][svg]") {
  const auto drawn = [](std::vector<double> x, std::vector<double> y) {
    Chart chart{.title = "t"};
    chart.series = {{.name = "s", .x = std::move(x), .y = std::move(y)}};
    const std::string svg = curve_svg(chart);
    CHECK(xml_problem(svg) == "");
    CHECK(svg.find("nan") == std::string::npos);
    CHECK(svg.find("\"inf") == std::string::npos);
    CHECK(svg.size() < 100'000);
  };
  CHECK(xml_problem(curve_svg(Chart{})) == "");
  drawn({}, {});
  drawn({0}, {0});
  drawn({5}, {0.5});
  drawn({0, 1}, {kNan, kNan});
  drawn({0, 1}, {-3, -3});
  drawn({0, 1}, {1e-9, 2e-9});
  drawn({0, 1}, {1e12, 1e12 + 1});
  drawn({0, 1e9}, {-1e15, 1e15});
  drawn({0.5, 0.75}, {0, 1e-12});
}

TEST_CASE("a long series has a bounded number of tooltips and all its points", "[report][svg]") {
  Chart chart{.title = "long"};
  Series series{.name = "s"};
  for (int i = 0; i < 1000; ++i) {
    series.x.push_back(i);
    series.y.push_back(i % 7);
  }
  chart.series = {series};
  const std::string svg = curve_svg(chart);
  CHECK(count(svg, "<circle") <= 120);
  CHECK(count(svg, "<circle") > 100);
  CHECK(points_of_path(svg, 0).size() == 2000);
}

TEST_CASE("hostile names cannot leave their place", "[report][svg]") {
  Chart chart = example();
  const std::string hostile = "</title><script>alert('1')</script>\"&\x01\xFF";
  chart.title = hostile;
  chart.x_label = hostile;
  chart.y_label = hostile;
  chart.series[0].name = hostile;
  const std::string svg = curve_svg(chart);
  CHECK(xml_problem(svg) == "");
  CHECK(svg.find("<script") == std::string::npos);
}

TEST_CASE("a chart is a file of its own: no script, link, font or picture", "[report][svg]") {
  const std::string svg = curve_svg(example());
  for (const char* outside :
       {"<script", "href", "url(", "@import", "@font-face", "<image", "<foreignObject", "https:"})
    CHECK(svg.find(outside) == std::string::npos);
  CHECK(count(svg, "http:") == 1);  // the name of the SVG language
}

TEST_CASE("equal charts give equal bytes", "[report][svg]") {
  CHECK(curve_svg(example()) == curve_svg(example()));
}

TEST_CASE("lists of different lengths are refused, the series named", "[report][svg]") {
  Chart chart = example();
  chart.series[1].y.pop_back();
  CHECK_THROWS_WITH(curve_svg(chart), ContainsSubstring("chart 'Success', series 'frozen'"));
}

TEST_CASE("numbers far from 0 and extreme ranges are drawn, and no axis is endless",
          "[report][svg]") {
  const auto drawn = [](std::vector<double> x, std::vector<double> y, SvgOptions options = {}) {
    Chart chart{.title = "Far", .series = {{.name = "one", .x = std::move(x), .y = std::move(y)}}};
    const std::string svg = curve_svg(chart, options);
    CHECK(xml_problem(svg) == "");
    CHECK(svg.find("nan") == std::string::npos);
    CHECK(svg.find("inf") == std::string::npos);
  };
  drawn({1e17}, {1});  // e.g. nanoseconds
  drawn({1e17, 1e17 + 16}, {1, 2});
  drawn({1.7e18, 1.7e18 + 1e9}, {1, 2});
  drawn({0, 1}, {-1e308, 1e308});
  drawn({-1e308, 1e308}, {0, 1});
  drawn({0, 1}, {5.4, 9.5}, {.height = 100});  // no multiple of 5 between them
}

TEST_CASE("sizes and ends of an axis that cannot be meant are refused", "[report][svg]") {
  for (const double size : {kNan, kInfinity, 0.0, -5.0, 1e9}) {
    CHECK_THROWS_WITH(curve_svg(example(), {.width = size}), ContainsSubstring("width is"));
    CHECK_THROWS_WITH(curve_svg(example(), {.height = size}), ContainsSubstring("height is"));
  }
  Chart chart = example();
  chart.y_min = kNan;
  CHECK_THROWS_WITH(curve_svg(chart), ContainsSubstring("y_min is nan (chart 'Success')"));
  chart.y_min = 2;
  CHECK_THROWS_WITH(curve_svg(chart), ContainsSubstring("y_min is 2, y_max is 1"));
}
