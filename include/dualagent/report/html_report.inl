#pragma once

/// Definitions of html_report.hpp; see core/compiled.hpp.

#include "dualagent/report/html_report.hpp"

namespace dualagent::detail {

/// `page` with each {{name}} replaced by its text, which is not looked through again.
/// Errors: Error for a name without a text.
inline std::string fill_page(
    std::string_view page,
    std::initializer_list<std::pair<std::string_view, std::string_view>> texts) {
  std::string filled;
  for (std::size_t at = 0;;) {
    const std::size_t open = page.find("{{", at);
    filled += page.substr(at, open == std::string_view::npos ? open : open - at);
    if (open == std::string_view::npos) return filled;
    const std::size_t close = page.find("}}", open);
    const std::string_view name = page.substr(open + 2, close - open - 2);
    const auto text = std::find_if(texts.begin(), texts.end(),
                                   [&](const auto& entry) { return entry.first == name; });
    if (close == std::string_view::npos || text == texts.end())
      throw Error("the page has no text for {{" + std::string(name) + "}}", "report.html");
    filled += text->second;
    at = close + 2;
  }
}

DUALAGENT_INLINE std::filesystem::path data_file_of(const std::filesystem::path& page) {
  return page.parent_path() / (page.stem().string() + "-data.js");
}

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE std::string html_report(const ReportData& data, std::string_view data_file) {
  const auto body = [](std::string_view file) { return file.substr(1); };  // behind its first line
  std::string script(body(detail::kChartsScript));
  script.append(body(detail::kEpisodesScript)).append(body(detail::kReportScript));
  const bool reads_again = !data.finished && !data_file.empty();
  return detail::fill_page(body(detail::kReportHtml),
                           {{"script_sources", reads_again ? " 'self' file:" : ""},
                            {"title", escape_markup(data.title)},
                            {"style", body(detail::kReportCss)},
                            {"data_file", escape_markup(data_file)},
                            {"data", report_json(data)},
                            {"script", script}});
}

DUALAGENT_INLINE void write_html_report(const std::filesystem::path& path, const ReportData& data) {
  write_file_atomically(path, html_report(data));
}

DUALAGENT_INLINE void LiveReport::finish(ReportData data) {
  data.finished = true;
  write_page(data);
  if (last_ || std::filesystem::exists(detail::data_file_of(page_))) write_data(data);
}

}  // namespace dualagent
