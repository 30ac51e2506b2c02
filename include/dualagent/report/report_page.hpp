#pragma once

#include <string_view>

/// The page of the HTML report, in its own languages. The files in page/ are edited as such; their
/// first and last lines make a raw string of what lies between. They hold no data.
namespace dualagent::detail {

inline constexpr std::string_view kReportHtml =
#include "page/report.html"
    ;
inline constexpr std::string_view kReportCss =
#include "page/report.css"
    ;
inline constexpr std::string_view kChartsScript =
#include "page/charts.js"
    ;
inline constexpr std::string_view kEpisodesScript =
#include "page/episodes.js"
    ;
inline constexpr std::string_view kReportScript =
#include "page/report.js"
    ;

}  // namespace dualagent::detail
