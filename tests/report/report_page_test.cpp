#include "dualagent/report/report_page.hpp"

#include <string>
#include <string_view>

#include "dualagent/report/curve_svg.hpp"
#include "support/catch.hpp"

using namespace dualagent;

namespace {

const std::string_view kFiles[] = {detail::kReportHtml, detail::kReportCss, detail::kChartsScript,
                                   detail::kEpisodesScript, detail::kReportScript};

}  // namespace

TEST_CASE("each file of the page is a text that every compiler takes", "[report][page]") {
  for (const std::string_view file : kFiles) {
    CHECK(file.size() > 100);
    CHECK(file.size() < 65536);  // longer literals are a warning of clang++ -Wpedantic
    CHECK(file.front() == '\n');
    CHECK(file.back() == '\n');
  }
}

TEST_CASE("style and scripts cannot end their elements", "[report][page]") {
  for (const std::string_view file : kFiles) {
    if (file == detail::kReportHtml) continue;
    CHECK(file.find("</") == std::string_view::npos);
    CHECK(file.find("<!--") == std::string_view::npos);
  }
}

TEST_CASE("no script reads a text as markup or code", "[report][page]") {
  for (const std::string_view script :
       {detail::kChartsScript, detail::kEpisodesScript, detail::kReportScript})
    for (const char* way : {"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write",
                            "eval(", "new Function", "createContextualFragment"})
      CHECK(script.find(way) == std::string_view::npos);
}

TEST_CASE("the page loads nothing from anywhere", "[report][page]") {
  for (const std::string_view file : kFiles)
    for (const char* outside :
         {" src=", "<link", "@import", "@font-face", "url(", "<iframe", "<object", "<embed",
          "fetch(", "XMLHttpRequest", "WebSocket", "import(", "https://", "//cdn", "srcset"})
      CHECK(file.find(outside) == std::string_view::npos);
}

TEST_CASE("the page has the colours of the pictures, light and dark", "[report][page]") {
  for (const detail::SvgPalette& palette : {detail::kLightPalette, detail::kDarkPalette})
    for (std::size_t i = 0; i < palette.series.size(); ++i)
      CHECK_THAT(std::string(detail::kReportCss),
                 ContainsSubstring("--series-" + std::to_string(i) + ":" +
                                   std::string(palette.series[i])));
}
