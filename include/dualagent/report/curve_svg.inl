#pragma once

/// Definitions of curve_svg.hpp; see core/compiled.hpp.

#include "dualagent/report/curve_svg.hpp"

namespace dualagent::detail {

inline constexpr std::size_t kSeriesColours = 8;

struct SvgPalette {
  std::string_view page, ink, muted, grid, axis;
  std::array<std::string_view, kSeriesColours> series;
};

// Every series colour has a contrast of at least 3:1 to its page.
inline constexpr SvgPalette kLightPalette{
    "#ffffff",
    "#1c2128",
    "#5b6472",
    "#e4e7ec",
    "#aab2bd",
    {"#1f5fd0", "#767f8c", "#c2570c", "#b0257f", "#0a7f66", "#6a4cc4", "#8a6a00", "#a8322b"}};

inline constexpr SvgPalette kDarkPalette{
    "#14171c",
    "#e6e9ee",
    "#a0a9b6",
    "#2a303a",
    "#555f6d",
    {"#74a9ff", "#98a2b0", "#f29b52", "#ea7cc4", "#3fc4a3", "#ae9af8", "#d6b545", "#f0837b"}};

/// CSS that colours the classes which `curve_svg` uses.
inline std::string palette_css(const SvgPalette& palette) {
  const auto rule = [](std::string_view name, std::string_view property, std::string_view value) {
    return ".c-" + std::string(name) + "{" + std::string(property) + ":" + std::string(value) + "}";
  };
  std::string css = rule("page", "fill", palette.page) + rule("ink", "fill", palette.ink) +
                    rule("muted", "fill", palette.muted) + rule("grid", "stroke", palette.grid) +
                    rule("axis", "stroke", palette.axis);
  for (std::size_t i = 0; i < kSeriesColours; ++i) {
    css += rule("line" + std::to_string(i), "stroke", palette.series[i]);
    css += rule("fill" + std::to_string(i), "fill", palette.series[i]);
  }
  return css;
}

/// Draws one chart; made for one call of `curve_svg`.
class CurveDrawing {
 public:
  CurveDrawing(const Chart& chart, const SvgOptions& options)
      : chart_(chart),
        options_(options),
        palette_(options.theme == SvgTheme::dark ? kDarkPalette : kLightPalette) {
    check();
    find_ranges();
    find_frame();
  }

  std::string draw() {
    open();
    draw_axes();
    for (std::size_t i = chart_.series.size(); i-- > 0;) draw_line(i);  // the first lies on top
    draw_legend();
    for (std::size_t i = chart_.series.size(); i-- > 0;) draw_tooltips(i);
    return svg_ + "</svg>\n";
  }

 private:
  static constexpr double kFont = 12;           // px
  static constexpr double kPadding = 16;        // px
  static constexpr double kMostTooltips = 120;  // per series

  void check() const {
    const std::string where = "chart '" + chart_.title + "'";
    require_option(options_.width, {100, 100000}, "width", "SvgOptions");
    require_option(options_.height, {100, 100000}, "height", "SvgOptions");
    if (chart_.y_min) require_option(*chart_.y_min, kFinite, "y_min", where);
    if (chart_.y_max) require_option(*chart_.y_max, kFinite, "y_max", where);
    if (chart_.y_min && chart_.y_max && *chart_.y_min >= *chart_.y_max)
      throw Error(
          "y_min is " + shortest_text(*chart_.y_min) + ", y_max is " + shortest_text(*chart_.y_max),
          where, "Set y_min below y_max, or leave one to the data");
    for (const Series& series : chart_.series)
      if (series.x.size() != series.y.size())
        throw Error("a series has lists of different lengths",
                    where + ", series '" + series.name + "'", "Give one y per x");
  }

  void find_ranges() {
    Range x;
    Range y;
    for (const Series& series : chart_.series) {
      for (std::size_t i = 0; i < series.x.size(); ++i) {
        x.add(series.x[i]);
        y.add(series.y[i]);
        whole_x_ = whole_x_ && series.x[i] == std::floor(series.x[i]);
      }
    }
    if (x.empty()) x = {0, 1};
    if (y.empty()) y = {0, 1};
    constexpr double kMost = 1e300;  // so that a range has a finite length
    for (Range* const range : {&x, &y})
      *range = {std::clamp(range->low, -kMost, kMost), std::clamp(range->high, -kMost, kMost)};
    if (x.low == x.high) {
      const double around = std::max(1.0, 1e-9 * std::abs(x.low));
      x = {x.low - around, x.high + around};
    }
    if (y.low > 0 && y.low < 0.5 * y.high) y.low = 0;
    if (chart_.y_min) y.low = *chart_.y_min;
    if (chart_.y_max) y.high = *chart_.y_max;
    const double margin = std::max(1e-9, 0.05 * std::abs(y.low));
    if (!(y.high - y.low > 1e-12 * std::abs(y.high))) y = {y.low - margin, y.low + margin};
    x_ = x;
    y_ = y;
  }

  void find_frame() {
    const double ticks = std::max(2.0, options_.height / 65);
    y_ticks_ = axis_ticks(y_.low, y_.high, ticks, 0, chart_.unit);
    if (!chart_.y_min && (y_ticks_.values.empty() || y_.low != y_ticks_.values.front()))
      y_.low = std::floor(y_.low / y_ticks_.step) * y_ticks_.step;
    if (!chart_.y_max) y_.high = std::ceil(y_.high / y_ticks_.step - 1e-9) * y_ticks_.step;
    y_ticks_.values = multiples(y_.low, y_.high, y_ticks_.step);
    double label_width = 0;
    for (const double value : y_ticks_.values)
      label_width = std::max(label_width, text_width(y_text(value)));
    left_ = kPadding + label_width + 8;
    right_ = options_.width - kPadding - 10 - legend_width();
    top_ = kPadding + (chart_.y_label.empty() ? 38 : 58);
    bottom_ = options_.height - kPadding - (chart_.x_label.empty() ? 24 : 40);
    x_ticks_ = axis_ticks(x_.low, x_.high, std::max(2.0, (right_ - left_) / 80), whole_x_ ? 1 : 0);
  }

  std::string y_text(double value) const { return tick_text(value, y_ticks_.step, chart_.unit); }
  static double text_width(std::string_view text) {  // of a usual sans serif, estimated
    return 0.58 * kFont * static_cast<double>(count_characters(text));
  }
  double x_of(double value) const {
    return left_ + (value - x_.low) / (x_.high - x_.low) * (right_ - left_);
  }
  double y_of(double value) const {
    const double inside = std::clamp(value, y_.low, y_.high);
    return bottom_ - (inside - y_.low) / (y_.high - y_.low) * (bottom_ - top_);
  }
  static std::string px(double value) { return trimmed_text(value, 2); }
  std::size_t colour_of(std::size_t series) const {
    return chart_.series[series].colour.value_or(series) % kSeriesColours;
  }
  std::string stroke(std::size_t series) const {
    const std::size_t c = colour_of(series);
    return (" class=\"c-line" + std::to_string(c) + "\" stroke=\"" +
            std::string(palette_.series[c]) + "\"")
        .append(dashes(series));
  }
  /// Tells a series from the one 8 before it, whose colour it has.
  std::string_view dashes(std::size_t series) const {
    const std::size_t round = chart_.series[series].colour.value_or(series) / kSeriesColours;
    return round == 0 ? "" : round == 1 ? " stroke-dasharray=\"7 5\"" : " stroke-dasharray=\"1 5\"";
  }
  std::string fill(std::size_t series) const {
    const std::size_t c = colour_of(series);
    return " class=\"c-fill" + std::to_string(c) + "\" fill=\"" + std::string(palette_.series[c]) +
           "\"";
  }

  void open() {
    const std::string width = px(options_.width);
    const std::string height = px(options_.height);
    svg_ = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " + width + " " + height +
           "\" width=\"" + width + "\" height=\"" + height + "\" role=\"img\" aria-label=\"" +
           escape_markup(spoken_summary()) +
           "\" font-family=\"system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', "
           "'Liberation Sans', sans-serif\" font-size=\"" +
           px(kFont) + "\">\n";
    if (options_.theme == SvgTheme::automatic)
      svg_ +=
          "<style>@media (prefers-color-scheme:dark){" + palette_css(kDarkPalette) + "}</style>\n";
    svg_ += "<rect class=\"c-page\" fill=\"" + std::string(palette_.page) +
            "\" width=\"100%\" height=\"100%\" rx=\"8\"/>\n";
    text(kPadding, kPadding + 14, chart_.title, "start", "ink",
         " font-size=\"15\" font-weight=\"600\"");
  }

  std::string spoken_summary() const {
    std::string summary = chart_.title.empty() ? "Chart" : chart_.title;
    for (std::size_t i = 0; i < chart_.series.size(); ++i) {
      const double last = last_value(i);
      if (!std::isfinite(last)) continue;
      summary += i == 0 ? ". Last values: " : ", ";
      summary += chart_.series[i].name + " " + value_text(last, chart_.unit);
    }
    return summary;
  }

  double last_value(std::size_t series) const {
    const std::vector<double>& y = chart_.series[series].y;
    const auto last = std::find_if(y.rbegin(), y.rend(), [](double v) { return std::isfinite(v); });
    return last == y.rend() ? std::numeric_limits<double>::quiet_NaN() : *last;
  }

  void text(double x, double y, std::string_view words, std::string_view anchor,
            std::string_view colour, std::string_view more = {}) {
    const std::string_view value = colour == "ink" ? palette_.ink : palette_.muted;
    svg_ += "<text x=\"" + px(x) + "\" y=\"" + px(y) + "\" text-anchor=\"" + std::string(anchor) +
            "\" class=\"c-" + std::string(colour) + "\" fill=\"" + std::string(value) + "\"" +
            std::string(more) + ">" + escape_markup(words) + "</text>\n";
  }

  void rule(double x1, double y1, double x2, double y2, std::string_view colour) {
    const std::string_view value = colour == "grid" ? palette_.grid : palette_.axis;
    svg_ += "<line x1=\"" + px(x1) + "\" y1=\"" + px(y1) + "\" x2=\"" + px(x2) + "\" y2=\"" +
            px(y2) + "\" class=\"c-" + std::string(colour) + "\" stroke=\"" + std::string(value) +
            "\"/>\n";
  }

  void draw_axes() {
    for (const double value : y_ticks_.values) {
      rule(left_, y_of(value), right_, y_of(value), "grid");
      text(left_ - 8, y_of(value) + 4, y_text(value), "end", "muted");
    }
    rule(left_, bottom_, right_, bottom_, "axis");
    for (const double value : x_ticks_.values) {
      rule(x_of(value), bottom_, x_of(value), bottom_ + 4, "axis");
      text(x_of(value), bottom_ + 18, tick_text(value, x_ticks_.step, AxisUnit::number), "middle",
           "muted");
    }
    if (!chart_.y_label.empty()) text(kPadding, top_ - 14, chart_.y_label, "start", "muted");
    if (!chart_.x_label.empty()) text(right_, bottom_ + 36, chart_.x_label, "end", "muted");
  }

  /// One path; a value that is not finite leaves a gap, a value between two gaps is a dot.
  void draw_line(std::size_t index) {
    const Series& series = chart_.series[index];
    const auto drawn = [&](std::size_t i) {
      return i < series.y.size() && std::isfinite(series.x[i]) && std::isfinite(series.y[i]);
    };
    std::string path;
    for (std::size_t i = 0; i < series.y.size(); ++i) {
      if (!drawn(i)) continue;
      const bool goes_on = i > 0 && drawn(i - 1);
      path += (goes_on ? "L" : "M") + px(x_of(series.x[i])) + " " + px(y_of(series.y[i]));
      if (!goes_on && !drawn(i + 1)) path += "h0";  // round caps make a dot of it
    }
    if (path.empty()) return;
    svg_ += "<path" + stroke(index) + " fill=\"none\" stroke-width=\"" +
            (index == 0 ? "2.4" : "1.8") +
            "\" stroke-linecap=\"round\" stroke-linejoin=\"round\" d=\"" + path + "\"/>\n";
  }

  void draw_tooltips(std::size_t index) {
    const Series& series = chart_.series[index];
    const auto points = static_cast<double>(series.y.size());
    const auto stride = static_cast<std::size_t>(std::max(1.0, std::ceil(points / kMostTooltips)));
    svg_ += "<g class=\"hits\">\n";
    for (std::size_t i = 0; i < series.y.size(); i += stride) {
      if (!std::isfinite(series.x[i]) || !std::isfinite(series.y[i])) continue;
      svg_ += "<circle cx=\"" + px(x_of(series.x[i])) + "\" cy=\"" + px(y_of(series.y[i])) +
              "\" r=\"6\"" + fill(index) + " fill-opacity=\"0\"><title>" +
              escape_markup(tooltip(series, i)) + "</title></circle>\n";
    }
    svg_ += "</g>\n";
  }

  std::string tooltip(const Series& series, std::size_t i) const {
    return series.name + ", " + (chart_.x_label.empty() ? "x" : chart_.x_label) + " " +
           trimmed_text(series.x[i], 3) + ": " + value_text(series.y[i], chart_.unit);
  }

  double legend_width() const {
    double width = 0;
    for (const Series& series : chart_.series) width = std::max(width, text_width(series.name));
    return chart_.series.empty() ? 0 : std::min(width + 40, 0.4 * options_.width);
  }

  void draw_key(double x, double y, std::size_t index) {
    svg_ += "<line x1=\"" + px(x) + "\" y1=\"" + px(y - 4) + "\" x2=\"" + px(x + 16) + "\" y2=\"" +
            px(y - 4) + "\"" + stroke(index) + " stroke-width=\"3\" stroke-linecap=\"round\"/>\n";
    text(x + 24, y, chart_.series[index].name, "start", "ink");
  }

  /// Beside the plot, as near to the ends of the lines as 18 px between entries allow.
  void draw_legend() {
    constexpr double kLine = 18;
    std::vector<std::pair<double, std::size_t>> entries;  // wanted height, series
    for (std::size_t i = 0; i < chart_.series.size(); ++i) {
      const double last = last_value(i);
      entries.emplace_back(std::isfinite(last) ? y_of(last) : bottom_, i);
    }
    std::stable_sort(entries.begin(), entries.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    double free = top_;
    for (auto& [y, index] : entries) free = (y = std::max(y, free)) + kLine;
    double limit = bottom_;
    for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry)
      limit = (entry->first = std::min(entry->first, limit)) - kLine;
    for (const auto& [y, index] : entries) draw_key(right_ + 14, y + 4, index);
  }

  const Chart& chart_;
  const SvgOptions& options_;
  const SvgPalette& palette_;
  Range x_, y_;          // shown
  bool whole_x_ = true;  // all x are whole numbers
  AxisTicks x_ticks_, y_ticks_;
  double left_ = 0, right_ = 0, top_ = 0, bottom_ = 0;  // of the plot, px
  std::string svg_;
};

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE std::string curve_svg(const Chart& chart, const SvgOptions& options) {
  return detail::CurveDrawing(chart, options).draw();
}

}  // namespace dualagent
