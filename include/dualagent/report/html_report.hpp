#pragma once

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "dualagent/core/check.hpp"
#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/io/atomic_file.hpp"
#include "dualagent/report/markup.hpp"
#include "dualagent/report/report_json.hpp"
#include "dualagent/report/report_page.hpp"

namespace dualagent {

namespace detail {

/// Where the data of an unfinished report lies: report-data.js for report.html.
std::filesystem::path data_file_of(const std::filesystem::path& page);

}  // namespace detail

/// The report as one HTML page: a static template (page/) and the data of `report_json`.
///
/// It needs no server and no network: style, script and data are in it, and a content security
/// policy forbids the rest. While the data is not finished, the page reads `data_file`, a file
/// beside it, every few seconds; that is a script, since a page from a disk may read nothing else.
/// Its script draws it, by keyboard too, in light and dark; all texts stay texts, whatever they
/// hold. Equal data gives equal bytes.
/// Errors: as `report_json`.
std::string html_report(const ReportData& data, std::string_view data_file = "");

/// Writes the report as a whole or not at all. Errors: as `html_report` and `AtomicFile`.
void write_html_report(const std::filesystem::path& path, const ReportData& data);

/// A report that can be watched in a browser while the run goes on.
///
/// The page is written once; then only its data, to a file beside it that the page reads again
/// (report-data.js beside report.html). The last call, `finish`, writes a page that is complete in
/// itself, and the data once more for a page that is still open.
/// Errors: of the constructor, for a time that cannot be meant and an empty clock; of all calls: as
/// `html_report` and `AtomicFile`.
/// Example: LiveReport live("out/report.html");
///          run.after_record([&](const RunRecord&) {  // a TrainingRun
///            live.update([] { return ReportData{.runs = read_runs("out")}; });
///          });
class LiveReport {
 public:
  /// `least_seconds` lie between two updates; `seconds` is a clock that never goes back, for tests.
  explicit LiveReport(std::filesystem::path page, double least_seconds = 2,
                      std::function<double()> seconds = steady_seconds)
      : page_(std::move(page)), least_seconds_(least_seconds), seconds_(std::move(seconds)) {
    require_option(least_seconds_, kSeconds, "least_seconds", "LiveReport");
    require_function(seconds_, "seconds", "LiveReport");
  }

  /// Writes what `make()`, a ReportData, tells; does nothing soon after the last update.
  template <std::invocable Make>
  void update(Make&& make) {
    const double now = seconds_();
    if (last_ && now - *last_ < least_seconds_) return;
    ReportData data = make();
    data.finished = false;
    write_data(data);
    if (!last_) write_page(data);
    last_ = now;
  }

  /// Writes the finished report.
  void finish(ReportData data);

 private:
  static double steady_seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
  }
  void write_data(const ReportData& data) const {
    write_file_atomically(detail::data_file_of(page_),
                          "dualagentReport(" + report_json(data) + ");\n");
  }
  void write_page(const ReportData& data) const {
    write_file_atomically(page_,
                          html_report(data, detail::data_file_of(page_).filename().string()));
  }

  std::filesystem::path page_;
  double least_seconds_;
  std::function<double()> seconds_;
  std::optional<double> last_;  // when the last update was written
};

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/report/html_report.inl"
#endif
