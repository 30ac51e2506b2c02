#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dualagent/core/check.hpp"
#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/number_text.hpp"
#include "dualagent/core/printable.hpp"
#include "dualagent/report/chart.hpp"
#include "dualagent/report/chart_axis.hpp"
#include "dualagent/report/markup.hpp"

namespace dualagent {

/// Colours of the picture.
enum class SvgTheme : std::uint8_t { automatic, light, dark };  // automatic: as the reader prefers

/// Size and colours of the picture.
struct SvgOptions {
  double width = 820;   ///< px, 100 to 100,000
  double height = 400;  ///< the same
  SvgTheme theme = SvgTheme::automatic;
};

/// A chart as a picture for a README or a document, where no script runs: axes, one line per
/// series, a legend, and a tooltip (`<title>`) at up to 120 points per series. (The report draws
/// its own curves in the browser, which redraws them while a run goes on: page/charts.js.)
///
/// The result is a whole SVG file without script, link or font. Equal charts give equal bytes.
/// Errors: Error when the lists of a series differ in length, and for sizes or ends of an axis that
/// cannot be meant.
/// Example: write_file_atomically("curve.svg", curve_svg(chart, {.theme = SvgTheme::light})).
std::string curve_svg(const Chart& chart, const SvgOptions& options = {});

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/report/curve_svg.inl"
#endif
