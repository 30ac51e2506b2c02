#include "dualagent/report/html_report.hpp"

#include <string>
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
  const auto chart = [&] {
    return Chart{.title = text,
                 .caption = text,
                 .x_label = text,
                 .y_label = text,
                 .series = {{.name = text, .x = {0, 1}, .y = {0.5, 1}}}};
  };
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
          .main_curve = chart(),
          .curves = {chart(), chart()},
          .episodes = {episode, other}};
}

}  // namespace

TEST_CASE("a report is a well-formed page that shows what it was given", "[report][html]") {
  const std::string page = html_report(report_of("harmless words"));
  CHECK(html_problem(page) == "");
  CHECK_THAT(page, ContainsSubstring("<title>harmless words</title>"));
  CHECK_THAT(page, ContainsSubstring("id=\"results\"") && ContainsSubstring("id=\"curves\"") &&
                       ContainsSubstring("id=\"episodes\"") && ContainsSubstring("id=\"run\""));
  CHECK_THAT(page, ContainsSubstring("50.0 %") && ContainsSubstring("1/2"));
  CHECK(count(page, "<article ") == 2);
  CHECK(count(page, "<svg ") == 4);  // the main curve for wide and for narrow screens
  for (const char* provenance :
       {"prompt", "observation", "injected", "summary", "action", "demonstration", "sampled"})
    CHECK_THAT(page, ContainsSubstring(std::string("span p-") + provenance));
  CHECK_THAT(page, ContainsSubstring("a-summarizer trained") &&
                       ContainsSubstring("mean log-probability -0.500"));
}

TEST_CASE("hostile texts stay text wherever they stand", "[report][html]") {
  const std::string ordinary = html_report(report_of("x"));
  for (const std::string hostile :
       {"</script><script>alert(1)</script>", "\"><img src=x onerror=alert(1)>",
        "' onmouseover='alert(1)", "</title></style></svg></pre>", "<!--", "]]>", "&lt;&amp;&#60;",
        "javascript:alert(1)", "\x1b[2J\x07", "\xFF\xFE\xC0\x80", "\xE2\x80\xAE\xE2\x81\xA6",
        "a\r\nb", "${x}`\\"}) {
    const std::string page = html_report(report_of(hostile));
    CHECK(html_problem(page) == "");
    CHECK(count(page, "<script") == count(ordinary, "<script"));
    CHECK(count(page, "<img") == 0);
    CHECK(count(page, "<!--") == 0);
    CHECK(count(page, "<") == count(ordinary, "<"));  // no element more or less
    for (std::string_view rest = page; !rest.empty();) {
      const DecodedCharacter c = decode_utf8(rest);
      if (!c.valid) FAIL("the page is not UTF-8");
      rest.remove_prefix(c.size_bytes);
    }
  }
  CHECK(html_problem(html_report(report_of(std::string("\0x", 2)))) == "");
}

TEST_CASE("the page loads nothing from anywhere", "[report][html]") {
  const std::string page = html_report(report_of("x"));
  for (const char* outside :
       {"src=", "<link", "@import", "@font-face", "url(", "<iframe", "<object", "<embed", "fetch(",
        "XMLHttpRequest", "WebSocket", "import(", "https://", "//cdn", "srcset", "ping="})
    CHECK(page.find(outside) == std::string::npos);
  CHECK(count(page, "http://") == count(page, "xmlns=\"http://www.w3.org/2000/svg\""));
  CHECK(count(page, "href=\"") == count(page, "href=\"#"));  // links within the page only
  CHECK_THAT(page, ContainsSubstring("default-src 'none'"));
}

TEST_CASE("every link of the page leads to an element of it", "[report][html]") {
  const std::string page = html_report(report_of("x"));
  std::size_t links = 0;
  for (std::size_t at = page.find("href=\"#"); at != std::string::npos;
       at = page.find("href=\"#", at + 1)) {
    const std::size_t begin = at + 7;
    const std::string id = page.substr(begin, page.find('"', begin) - begin);
    CHECK(count(page, " id=\"" + id + "\"") == 1);
    ++links;
  }
  CHECK(links >= 7);
}

TEST_CASE("what is empty is left out of the page", "[report][html]") {
  const std::string page = html_report({.title = "Nothing yet"});
  CHECK(html_problem(page) == "");
  for (const char* part :
       {"id=\"results\"", "id=\"curves\"", "id=\"episodes\"", "id=\"run\"", "<script", "<svg"})
    CHECK(page.find(part) == std::string::npos);
}

TEST_CASE("the headline is the first row's greedy success unless it is given", "[report][html]") {
  ReportData data{.rows = {{.name = "dual", .sampled = {150, 200}, .greedy = {198, 200}}}};
  CHECK_THAT(html_report(data),
             ContainsSubstring("<span class=\"figure\">99.0 %</span>") &&
                 ContainsSubstring("of 200 held-out tasks solved: dual, greedy, 95 % interval "
                                   "96.4 to 99.7 %."));
  data.headline_figure = "2x";
  data.headline = "faster";
  CHECK_THAT(html_report(data), ContainsSubstring("<span class=\"figure\">2x</span><p>faster</p>"));
}

TEST_CASE("a summary stands beside the window that it compresses", "[report][html]") {
  ReportEpisode episode{.task = "t"};
  ReportSegment first;
  first.spans = {span(Provenance::prompt, AgentRole::answerer, "question"),
                 span(Provenance::sampled, AgentRole::answerer, "turn")};
  ReportSegment own{.owner = AgentRole::summarizer, .parent = 0, .replacement = {}};
  own.spans = {span(Provenance::action, AgentRole::answerer, "turn"),
               span(Provenance::sampled, AgentRole::summarizer, "short")};
  ReportSegment second{
      .owner = AgentRole::answerer, .parent = 0, .replacement = Replacement{0, 30, 3}};
  second.spans = {span(Provenance::summary, AgentRole::summarizer, "short")};
  episode.segments = {first, own, second};
  const std::string page = html_report({.episodes = {episode}});
  CHECK(html_problem(page) == "");
  const std::size_t window = page.find("Window 1");
  const std::size_t summary = page.find("Summary 1");
  const std::size_t stands_for = page.find("3 tokens stand for 30 in window 2.");
  const std::size_t own_window = page.find("The Summarizer's own window");
  const std::size_t next = page.find("Window 2");
  REQUIRE(next != std::string::npos);
  CHECK(window < summary);
  CHECK(summary < stands_for);
  CHECK(stands_for < own_window);
  CHECK(own_window < next);
  CHECK(count(page, "<h4>Window") == 2);  // the Summarizer's window is none of the Answerer's
}

TEST_CASE("equal data give equal bytes, on disk too", "[report][html]") {
  const TemporaryFolder folder;
  write_html_report(folder / "report.html", report_of("x"));
  CHECK(read_file(folder / "report.html") == html_report(report_of("x")));
  CHECK(folder.entries() == 1);
}

TEST_CASE("an impossible count is refused instead of shown", "[report][html]") {
  CHECK_THROWS_AS(html_report({.rows = {{.name = "a", .greedy = {3, 2}}}}), Error);
}
