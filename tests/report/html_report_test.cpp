#include "dualagent/report/html_report.hpp"

#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "support/catch.hpp"
#include "support/tag_balance.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;

namespace {

std::string html_problem(const std::string& page) {
  return TagBalance::problem(page, TagBalance::Kind::html);
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
    ++found;
  return found;
}

ReportSpan span(Provenance provenance, AgentRole agent, const std::string& text) {
  return {.provenance = provenance,
          .agent = agent,
          .text = text,
          .tokens = 3,
          .trained = provenance == Provenance::sampled,
          .mean_log_prob = -0.5};
}

/// Every text of the report is `text`.
ReportData report_of(const std::string& text) {
  ReportEpisode episode{.task = text,
                        .stage = text,
                        .ending = text,
                        .answer = text,
                        .expected = text,
                        .segments = {}};
  for (const Provenance provenance :
       {Provenance::prompt, Provenance::observation, Provenance::injected, Provenance::summary,
        Provenance::action, Provenance::demonstration, Provenance::sampled}) {
    ReportSegment segment{.owner = AgentRole::answerer, .parent = {}, .replacement = Replacement{}};
    for (const AgentRole agent : {AgentRole::answerer, AgentRole::summarizer})
      segment.spans.push_back(span(provenance, agent, text));
    episode.segments.push_back(segment);
  }
  ReportEpisode other = episode;
  other.solved = true;
  other.stage = text + "2";
  return {.title = text,
          .subtitle = text,
          .headline_figure = text,
          .headline = text,
          .command = text,
          .parameters = {{text, text}},
          .rows = {{.name = text,
                    .label = text,
                    .note = text,
                    .sampled = {1, 2},
                    .greedy = {1, 2},
                    .failures_sampled = {{text, 1}},
                    .failures_greedy = {{text, 2}},
                    .tokens_per_task = 5.0,
                    .seconds = 6.0}},
          .rows_note = text,
          .main_curve = {.metric = text, .title = text, .caption = text},
          .runs = {{.name = text,
                    .group = text,
                    .records = {{.step = 0, .numbers = {{text, 1.0}}, .texts = {}}}}},
          .episodes = {episode, other}};
}

/// What the page's script reads.
nlohmann::json data_of(const std::string& page) {
  const std::size_t element = page.find("<script type=\"application/json\"");
  const std::size_t begin = page.find('>', element) + 1;
  return nlohmann::json::parse(page.substr(begin, page.find("</script>", begin) - begin));
}

/// The JSON of a data file, which is one call of a function.
nlohmann::json call_argument(const std::string& script) {
  const std::string_view call = "dualagentReport(";
  REQUIRE(script.rfind(call, 0) == 0);
  REQUIRE(script.substr(script.size() - 3) == ");\n");
  return nlohmann::json::parse(script.substr(call.size(), script.size() - call.size() - 3));
}

}  // namespace

TEST_CASE("a report is a well-formed page that holds its data", "[report][html]") {
  const ReportData report = report_of("harmless words");
  const std::string page = html_report(report);
  CHECK(html_problem(page) == "");
  CHECK_THAT(page, ContainsSubstring("<title>harmless words</title>"));
  CHECK(data_of(page) == nlohmann::json::parse(report_json(report)));
  CHECK(count(page, "{{") == 0);
  CHECK(count(page, "<script") == 2);
  CHECK(count(page, "http://") == count(page, "\"http://www.w3.org/2000/svg\""));
}

TEST_CASE("a template without a text for a place is refused", "[report][html]") {
  CHECK(detail::fill_page("a{{x}}b{{y}}{{x}}", {{"x", "{{y}}"}, {"y", ""}}) == "a{{y}}b{{y}}");
  CHECK_THROWS_WITH(detail::fill_page("{{z}}", {{"x", ""}}), ContainsSubstring("{{z}}"));
  CHECK_THROWS_AS(detail::fill_page("{{x", {{"x", ""}}), Error);
}

TEST_CASE("hostile texts stay text wherever they stand", "[report][html]") {
  const std::string ordinary = html_report(report_of("x"), "x");
  for (const std::string hostile :
       {"</script><script>alert(1)</script>", "\"><img src=x onerror=alert(1)>",
        "' onmouseover='alert(1)", "</title></style></svg></pre>", "<!--", "<!--<script>", "]]>",
        "&lt;&amp;&#60;", "javascript:alert(1)", "\x1b[2J\x07", "\xFF\xFE\xC0\x80",
        "\xE2\x80\xAE\xE2\x81\xA6", "\xE2\x80\xA8", "a\r\nb", "${x}`\\", "{{data}}", "__proto__"}) {
    const std::string page = html_report(report_of(hostile), hostile);
    CHECK(html_problem(page) == "");
    CHECK(count(page, "<script") == count(ordinary, "<script"));
    CHECK(count(page, "<img") == 0);
    CHECK(count(page, "<!--") == 0);
    CHECK(count(page, "<") == count(ordinary, "<"));  // no element more or less
    CHECK(data_of(page)["command"] == printable(hostile, LineBreaks::keep));
    for (std::string_view rest = page; !rest.empty();) {
      const DecodedCharacter c = decode_utf8(rest);
      if (!c.valid) FAIL("the page is not UTF-8");
      rest.remove_prefix(c.size_bytes);
    }
  }
  CHECK(html_problem(html_report(report_of(std::string("\0x", 2)))) == "");
}

TEST_CASE("a finished page may load nothing, an unfinished one its data file", "[report][html]") {
  ReportData data = report_of("x");
  CHECK_THAT(html_report(data, "x-data.js"),
             ContainsSubstring("default-src 'none'") &&
                 ContainsSubstring("script-src 'unsafe-inline'; base-uri"));
  data.finished = false;
  CHECK_THAT(html_report(data, "x-data.js"),
             ContainsSubstring("script-src 'unsafe-inline' 'self' file:; base-uri") &&
                 ContainsSubstring("data-file=\"x-data.js\""));
  CHECK_THAT(html_report(data), ContainsSubstring("script-src 'unsafe-inline'; base-uri"));
}

TEST_CASE("what a script fills stands in the template once", "[report][html]") {
  const std::string page = html_report({});
  for (const char* id : {"main", "results", "curves", "episodes", "run", "data"})
    CHECK(count(page, std::string(" id=\"") + id + "\"") == 1);
  CHECK(count(page, "<a href=\"#") == 4);
}

TEST_CASE("equal data give equal bytes, on disk too", "[report][html]") {
  const TemporaryFolder folder;
  write_html_report(folder / "report.html", report_of("x"));
  CHECK(read_file(folder / "report.html") == html_report(report_of("x")));
  CHECK(folder.entries() == 1);
}

TEST_CASE("a watched report writes its page once and its data at a bounded rate",
          "[report][html]") {
  const TemporaryFolder folder;
  double now = 100;
  LiveReport live(folder / "report.html", 2, [&] { return now; });
  const auto title = [](const char* text) { return [=] { return ReportData{.title = text}; }; };
  const auto shown = [&] { return call_argument(read_file(folder / "report-data.js")); };
  live.update(title("first"));
  CHECK(shown()["title"] == "first");
  CHECK(shown()["finished"] == false);
  const std::string page = read_file(folder / "report.html");
  CHECK(data_of(page) == shown());
  CHECK_THAT(page, ContainsSubstring("data-file=\"report-data.js\""));
  now = 101;
  live.update([]() -> ReportData { throw std::logic_error("asked too early"); });
  now = 102;
  live.update(title("second"));
  CHECK(shown()["title"] == "second");
  CHECK(read_file(folder / "report.html") == page);
  live.finish({.title = "last"});
  CHECK(shown()["title"] == "last");
  CHECK(shown()["finished"] == true);
  CHECK(data_of(read_file(folder / "report.html"))["title"] == "last");
}

TEST_CASE("a report that nobody could have watched is one file", "[report][html]") {
  const TemporaryFolder folder;
  LiveReport(folder / "report.html").finish({});
  CHECK(folder.entries() == 1);
}

TEST_CASE("a live report without a clock, or with no time between updates, is refused",
          "[report]") {
  CHECK_THROWS_WITH(LiveReport("never-made.html", std::numeric_limits<double>::quiet_NaN()),
                    ContainsSubstring("least_seconds is nan"));
  CHECK_THROWS_WITH(LiveReport("never-made.html", 2, {}), ContainsSubstring("seconds is empty"));
}
