#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dualagent/core/atomic_file.hpp"
#include "dualagent/core/number_text.hpp"
#include "dualagent/report/chart.hpp"
#include "dualagent/report/curve_svg.hpp"
#include "dualagent/report/html_assets.hpp"
#include "dualagent/report/markup.hpp"
#include "dualagent/report/report_episode.hpp"
#include "dualagent/report/result_row.hpp"
#include "dualagent/report/wilson.hpp"

namespace dualagent {

/// Everything that the HTML report shows; what is empty is left out of the page.
struct ReportData {
  std::string title = "Training report";
  std::string subtitle = {};         ///< what was done, in a sentence
  std::string headline_figure = {};  ///< empty: greedy success of the first row
  std::string headline = {};         ///< the main result, in a sentence; empty: made from that row
  std::string command = {};          ///< the exact command that repeats the run
  std::vector<std::pair<std::string, std::string>> parameters = {};
  std::vector<ResultRow> rows = {};  ///< the main system first
  std::string rows_note = {};        ///< what the reader must know of the comparison
  Chart main_curve = {};             ///< e.g. success per step, one series per row
  std::vector<Chart> curves = {};    ///< small ones below: reward, entropy, lengths, ...
  std::vector<ReportEpisode> episodes = {};
};

namespace detail {

/// Writes the page; made for one call of `html_report`.
class HtmlReport {
 public:
  explicit HtmlReport(const ReportData& data) : data_(data) {}

  std::string page() {
    head();
    header();
    out_ += "<main id=\"main\">\n";
    if (!data_.rows.empty()) results();
    if (has_curves()) curves();
    if (!data_.episodes.empty()) episodes();
    if (has_run()) run();
    out_ +=
        "</main>\n<footer>Made by dualagent. This file is complete in itself: it loads nothing "
        "from anywhere.</footer>\n";
    if (!data_.episodes.empty()) out_ += "<script>" + std::string(kReportScript) + "</script>\n";
    return out_ + "</body>\n</html>\n";
  }

 private:
  bool has_curves() const { return !data_.main_curve.series.empty() || !data_.curves.empty(); }
  bool has_run() const { return !data_.command.empty() || !data_.parameters.empty(); }

  static std::string plural(std::size_t count, const std::string& noun) {
    return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
  }
  static std::string percent_range(const Interval& interval) {
    return fixed_text(100 * interval.low, 1) + " to " + fixed_text(100 * interval.high, 1) + " %";
  }

  void head() {
    out_ =
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
        "'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n"
        "<title>" +
        escape_markup(data_.title) + "</title>\n<style>" + std::string(kReportCss) +
        palette_css(kLightPalette) + "\n@media (prefers-color-scheme:dark){" +
        palette_css(kDarkPalette) + "}\n</style>\n</head>\n<body>\n";
  }

  void header() {
    out_ +=
        "<a class=\"skip\" href=\"#main\">Skip to the results</a>\n<header class=\"top\">\n<h1>" +
        escape_markup(data_.title) + "</h1>\n";
    if (!data_.subtitle.empty())
      out_ += "<p class=\"subtitle\">" + escape_markup(data_.subtitle) + "</p>\n";
    hero();
    out_ += "<nav class=\"jump\" aria-label=\"Sections\">";
    if (!data_.rows.empty()) out_ += "<a href=\"#results\">Results</a>";
    if (has_curves()) out_ += "<a href=\"#curves\">Curves</a>";
    if (!data_.episodes.empty()) out_ += "<a href=\"#episodes\">Episodes</a>";
    if (has_run()) out_ += "<a href=\"#run\">How to repeat it</a>";
    out_ += "</nav>\n</header>\n";
  }

  void hero() {
    std::string figure = data_.headline_figure;
    std::string sentence = data_.headline;
    if (!data_.rows.empty() && data_.rows[0].greedy.measured()) {
      const ResultRow& row = data_.rows[0];
      if (figure.empty()) figure = percent_text(row.greedy.fraction(), 1);
      if (sentence.empty())
        sentence = "of " + std::to_string(row.greedy.trials) +
                   " held-out tasks solved: " + row.title() + ", greedy, 95 % interval " +
                   percent_range(wilson_interval(row.greedy)) + ".";
    }
    if (figure.empty() && sentence.empty()) return;
    out_ += "<div class=\"hero\">";
    if (!figure.empty()) out_ += "<span class=\"figure\">" + escape_markup(figure) + "</span>";
    if (!sentence.empty()) out_ += "<p>" + escape_markup(sentence) + "</p>";
    out_ += "</div>\n";
  }

  // Results.

  void results() {
    const auto any = [&](auto member) {
      return std::any_of(data_.rows.begin(), data_.rows.end(),
                         [&](const ResultRow& row) { return (row.*member).has_value(); });
    };
    const bool tokens = any(&ResultRow::tokens_per_task);
    const bool seconds = any(&ResultRow::seconds);
    out_ +=
        "<section id=\"results\" aria-labelledby=\"results-title\">\n<h2 id=\"results-title\">"
        "Results on held-out tasks</h2>\n<p class=\"lead\">The upright mark is the measured "
        "success on a scale from 0 to 100 %, the bar around it the 95 % Wilson interval.";
    if (!data_.rows_note.empty()) out_ += " " + escape_markup(data_.rows_note);
    out_ +=
        "</p>\n<div class=\"card\"><table class=\"results\">\n<thead><tr><th "
        "scope=\"col\">System</th><th scope=\"col\">Sampled, temperature 1</th><th "
        "scope=\"col\">Greedy</th>";
    if (tokens) out_ += "<th scope=\"col\" class=\"number\">Tokens per task</th>";
    if (seconds) out_ += "<th scope=\"col\" class=\"number\">Training, seconds</th>";
    out_ += "</tr></thead>\n<tbody>\n";
    for (std::size_t i = 0; i < data_.rows.size(); ++i) result_row(i, tokens, seconds);
    out_ += "</tbody>\n</table></div>\n";
    failures("Failures by kind, sampled", &ResultRow::failures_sampled);
    failures("Failures by kind, greedy", &ResultRow::failures_greedy);
    out_ += "</section>\n";
  }

  void result_row(std::size_t index, bool tokens, bool seconds) {
    const ResultRow& row = data_.rows[index];
    out_ += std::string(index == 0 ? "<tr class=\"first\">" : "<tr>") + "<th scope=\"row\">" +
            escape_markup(row.title());
    if (!row.note.empty()) out_ += "<span class=\"note\">" + escape_markup(row.note) + "</span>";
    out_ += "</th>";
    measure("Sampled, temperature 1", row.sampled, index);
    measure("Greedy", row.greedy, index);
    if (tokens) number_cell("Tokens per task", row.tokens_per_task, 0);
    if (seconds) number_cell("Training, seconds", row.seconds, 1);
    out_ += "</tr>\n";
  }

  void measure(const std::string& label, const Proportion& proportion, std::size_t index) {
    out_ += "<td class=\"measure\" data-label=\"" + label + "\">";
    if (!proportion.measured()) {
      out_ += "<small>not measured</small></td>";
      return;
    }
    const Interval interval = wilson_interval(proportion);
    const auto css_percent = [](double fraction) { return trimmed_text(100 * fraction, 2) + "%"; };
    out_ += "<b>" + percent_text(proportion.fraction(), 1) + "</b> <small>" +
            std::to_string(proportion.successes) + "/" + std::to_string(proportion.trials) + ", " +
            percent_range(interval) +
            "</small><div class=\"scale\" aria-hidden=\"true\" "
            "style=\"color:var(--series-" +
            std::to_string(index % kSeriesColours) +
            ")\"><i style=\"left:" + css_percent(interval.low) +
            ";width:" + css_percent(interval.high - interval.low) +
            "\"></i><b style=\"left:" + css_percent(proportion.fraction()) + "\"></b></div></td>";
  }

  void number_cell(const std::string& label, const std::optional<double>& value, int decimals) {
    out_ += "<td class=\"number\" data-label=\"" + label + "\">" +
            (value && std::isfinite(*value) ? fixed_text(*value, decimals) : "–") + "</td>";
  }

  void failures(const std::string& title, std::vector<FailureCount> ResultRow::*member) {
    const std::vector<std::string> kinds = failure_kinds(data_.rows, member);
    if (kinds.empty()) return;
    out_ += "<h3 class=\"sub\">" + title +
            "</h3>\n<div class=\"card scroll\"><table>\n<thead><tr>"
            "<th scope=\"col\">Kind</th>";
    for (const ResultRow& row : data_.rows)
      out_ += "<th scope=\"col\" class=\"number\">" + escape_markup(row.title()) + "</th>";
    out_ += "</tr></thead>\n<tbody>\n";
    for (const std::string& kind : kinds) {
      out_ += "<tr><td>" + escape_markup(kind) + "</td>";
      for (const ResultRow& row : data_.rows) {
        const std::size_t count = count_failures(row.*member, kind);
        out_ += std::string("<td class=\"number") + (count == 0 ? " zero" : "") + "\">" +
                std::to_string(count) + "</td>";
      }
      out_ += "</tr>\n";
    }
    out_ += "</tbody>\n</table></div>\n";
  }

  // Curves.

  /// The chart with the colours of the table's rows where a series is called like a row.
  Chart in_colours_of_rows(Chart chart) const {
    for (Series& series : chart.series)
      for (std::size_t i = 0; i < data_.rows.size(); ++i)
        if (!series.colour &&
            (series.name == data_.rows[i].title() || series.name == data_.rows[i].name))
          series.colour = i;
    return chart;
  }

  void curves() {
    out_ +=
        "<section id=\"curves\" aria-labelledby=\"curves-title\">\n<h2 id=\"curves-title\">"
        "Training, step by step</h2>\n<p class=\"lead\">Rest the pointer on a line to read its "
        "values.</p>\n";
    if (!data_.main_curve.series.empty()) {
      const Chart chart = in_colours_of_rows(data_.main_curve);
      const SvgOptions wide{
          .width = 1080, .height = 400, .title = SvgTitle::hidden, .use = SvgUse::inline_html};
      const SvgOptions narrow{.width = 360,
                              .height = 320,
                              .legend = SvgLegend::top,
                              .title = SvgTitle::hidden,
                              .use = SvgUse::inline_html};
      open_figure(chart);
      out_ += "<div class=\"wide\">" + curve_svg(chart, wide) + "</div><div class=\"narrow\">" +
              curve_svg(chart, narrow) + "</div>";
      values(chart);
      out_ += "</figure>\n";
    }
    if (!data_.curves.empty()) small_curves();
    out_ += "</section>\n";
  }

  void small_curves() {
    out_ += "<div class=\"charts\">\n";
    for (const Chart& curve : data_.curves) {
      const Chart chart = in_colours_of_rows(curve);
      const SvgOptions options{.width = 340,
                               .height = 210,
                               .legend = named_as_main(chart) ? SvgLegend::none : SvgLegend::top,
                               .title = SvgTitle::hidden,
                               .use = SvgUse::inline_html};
      open_figure(chart);
      out_ += curve_svg(chart, options) + "</figure>\n";
    }
    out_ += "</div>\n";
  }

  /// Whether the main curve's legend explains all lines of a small chart.
  bool named_as_main(const Chart& chart) const {
    return std::all_of(chart.series.begin(), chart.series.end(), [&](const Series& series) {
      return std::any_of(data_.main_curve.series.begin(), data_.main_curve.series.end(),
                         [&](const Series& main) { return main.name == series.name; });
    });
  }

  void open_figure(const Chart& chart) {
    out_ += "<figure class=\"card\"><figcaption><h3>" + escape_markup(chart.title) + "</h3>";
    if (!chart.caption.empty()) out_ += "<p>" + escape_markup(chart.caption) + "</p>";
    out_ += "</figcaption>\n";
  }

  void values(const Chart& chart) {
    std::vector<double> x;
    for (const Series& series : chart.series) x.insert(x.end(), series.x.begin(), series.x.end());
    x.erase(std::remove_if(x.begin(), x.end(), [](double v) { return !std::isfinite(v); }),
            x.end());
    std::sort(x.begin(), x.end());
    x.erase(std::unique(x.begin(), x.end()), x.end());
    out_ +=
        "<details><summary>All values as a table</summary>\n<div class=\"scroll\"><table>"
        "<thead><tr><th scope=\"col\">" +
        escape_markup(chart.x_label) + "</th>";
    for (const Series& series : chart.series)
      out_ += "<th scope=\"col\" class=\"number\">" + escape_markup(series.name) + "</th>";
    out_ += "</tr></thead>\n<tbody>\n";
    for (const double value : x) {
      out_ += "<tr><td>" + trimmed_text(value, 3) + "</td>";
      for (const Series& series : chart.series) {
        const auto found = std::find(series.x.begin(), series.x.end(), value);
        const std::size_t i = static_cast<std::size_t>(found - series.x.begin());
        const bool known = found != series.x.end() && std::isfinite(series.y[i]);
        out_ +=
            "<td class=\"number\">" + (known ? value_text(series.y[i], chart.unit) : "") + "</td>";
      }
      out_ += "</tr>\n";
    }
    out_ += "</tbody></table></div></details>\n";
  }

  // Episodes.

  static std::string outcome(const ReportEpisode& episode) {
    return episode.solved ? "solved" : "failed";
  }
  static std::string mark(const ReportEpisode& episode) {
    return "<span class=\"mark\" aria-hidden=\"true\">" + std::string(episode.solved ? "✓" : "✗") +
           "</span>";
  }

  void episodes() {
    out_ +=
        "<section id=\"episodes\" aria-labelledby=\"episodes-title\">\n<h2 id=\"episodes-title\">"
        "Episodes</h2>\n<p class=\"lead\">Every token by where it came from: each context window "
        "of the Answerer, and beside it the summary that took its place in the next one.</p>\n";
    provenance_legend();
    out_ += "<div class=\"viewer\">\n<div class=\"picker\">\n";
    filter("outcome", "Outcome", {"solved", "failed"});
    filter("stage", "Stage", stages());
    out_ +=
        "<p class=\"count\" aria-live=\"polite\" hidden></p>\n<nav aria-label=\"Episodes\">"
        "<ol class=\"episodes card\">\n";
    for (std::size_t i = 0; i < data_.episodes.size(); ++i) episode_link(i);
    out_ += "</ol></nav>\n</div>\n<div>\n";
    for (std::size_t i = 0; i < data_.episodes.size(); ++i) episode(i);
    out_ += "</div>\n</div>\n</section>\n";
  }

  void provenance_legend() {
    out_ +=
        "<ul class=\"legend\" aria-label=\"Colours\">"
        "<li class=\"p-sampled a-answerer\">sampled by the Answerer</li>"
        "<li class=\"p-sampled a-summarizer\">sampled by the Summarizer</li>"
        "<li class=\"p-summary copy\">copy of a summary</li>"
        "<li class=\"p-observation\">tool or environment</li>"
        "<li class=\"p-injected\">injected request</li>"
        "<li class=\"p-prompt\">task</li>"
        "<li class=\"trained-key\"><b></b>trained on</li></ul>\n";
  }

  std::vector<std::string> stages() const {
    std::vector<std::string> stages;
    for (const ReportEpisode& episode : data_.episodes)
      if (!episode.stage.empty() &&
          std::find(stages.begin(), stages.end(), episode.stage) == stages.end())
        stages.push_back(episode.stage);
    return stages;
  }

  void filter(const std::string& name, const std::string& title,
              const std::vector<std::string>& values) {
    if (values.size() < 2) return;
    const auto choice = [&](const std::string& value, const std::string& label, bool checked) {
      out_ += "<label><input type=\"radio\" name=\"" + name + "\" value=\"" + escape_markup(value) +
              "\"" + (checked ? " checked" : "") + "><span>" + escape_markup(label) +
              "</span></label>";
    };
    out_ += "<fieldset class=\"filters\" hidden><legend>" + title + "</legend>";
    choice("", "all", true);
    for (const std::string& value : values) choice(value, value, false);
    out_ += "</fieldset>\n";
  }

  void episode_link(std::size_t index) {
    const ReportEpisode& episode = data_.episodes[index];
    out_ += "<li class=\"" + outcome(episode) + "\" data-outcome=\"" + outcome(episode) +
            "\" data-stage=\"" + escape_markup(episode.stage) + "\"><a href=\"#episode-" +
            std::to_string(index + 1) + "\">" + mark(episode) + "<span>" +
            escape_markup(episode.task) + "<span class=\"hidden-text\">, " + outcome(episode) +
            "</span></span>";
    if (!episode.stage.empty()) out_ += "<small>" + escape_markup(episode.stage) + "</small>";
    out_ += "</a></li>\n";
  }

  void episode(std::size_t index) {
    const ReportEpisode& episode = data_.episodes[index];
    const std::string id = "episode-" + std::to_string(index + 1);
    out_ += "<article class=\"episode\" id=\"" + id + "\" aria-labelledby=\"" + id +
            "-title\">\n<header><h3 id=\"" + id + "-title\">" + escape_markup(episode.task) +
            "<span class=\"badge " + outcome(episode) + "\">" + mark(episode) + " " +
            outcome(episode) + "</span></h3>\n";
    facts(index);
    out_ += "</header>\n<ol class=\"windows\">\n";
    std::size_t number = 0;
    for (std::size_t s = 0; s < episode.segments.size(); ++s)
      if (episode.segments[s].owner == AgentRole::answerer) window(episode, s, ++number);
    out_ += "</ol>\n</article>\n";
  }

  void facts(std::size_t index) {
    const ReportEpisode& episode = data_.episodes[index];
    std::size_t windows = 0, tokens = 0, trained = 0, sampled = 0;
    for (const ReportSegment& segment : episode.segments) {
      windows += segment.owner == AgentRole::answerer ? 1 : 0;
      for (const ReportSpan& span : segment.spans) {
        tokens += span.tokens;
        trained += span.trained ? span.tokens : 0;
        sampled += span.provenance == Provenance::sampled ? span.tokens : 0;
      }
    }
    out_ += "<p class=\"facts\">";
    if (!episode.stage.empty()) out_ += escape_markup(episode.stage) + " · ";
    out_ += plural(windows, "window") + " of the Answerer · " + plural(tokens, "token") + ", " +
            std::to_string(sampled) + " sampled, " + std::to_string(trained) + " trained on";
    for (std::size_t other = 0; other < data_.episodes.size(); ++other)
      if (other != index && data_.episodes[other].task == episode.task) {
        const std::string& stage = data_.episodes[other].stage;
        out_ += " · <a href=\"#episode-" + std::to_string(other + 1) + "\">same task" +
                (stage.empty() ? "" : " " + escape_markup(stage)) + ": " +
                outcome(data_.episodes[other]) + "</a>";
      }
    out_ += "</p>\n";
  }

  static std::size_t token_count(const ReportSegment& segment) {
    std::size_t tokens = 0;
    for (const ReportSpan& span : segment.spans) tokens += span.tokens;
    return tokens;
  }

  static bool is_summary(const ReportSpan& span) {
    return span.agent == AgentRole::summarizer &&
           (span.provenance == Provenance::sampled || span.provenance == Provenance::inherited ||
            span.provenance == Provenance::demonstration);
  }

  /// One window of the Answerer; beside it its summary, what was dropped, or how it all ended.
  void window(const ReportEpisode& episode, std::size_t index, std::size_t number) {
    const ReportSegment& segment = episode.segments[index];
    out_ += "<li class=\"window\">\n<div class=\"context card\"><h4>Window " +
            std::to_string(number) + "<span>" + plural(token_count(segment), "token") +
            "</span></h4>\n";
    for (const ReportSpan& span : segment.spans)
      if (!is_summary(span)) span_line(span);
    out_ += "</div>\n";
    const std::size_t next = next_window(episode, index);
    const bool summarized = beside_summary(episode, index, next, number);
    if (next < episode.segments.size()) {
      if (!summarized) beside_dropped(episode.segments[next]);
    } else {
      beside_ending(episode);
    }
    out_ += "</li>\n";
  }

  static std::size_t next_window(const ReportEpisode& episode, std::size_t index) {
    std::size_t next = index + 1;
    while (next < episode.segments.size() && episode.segments[next].owner != AgentRole::answerer)
      ++next;
    return next;
  }

  static std::string_view who(const ReportSpan& span) {
    const bool answerer = span.agent == AgentRole::answerer;
    switch (span.provenance) {
      case Provenance::prompt:
        return "task";
      case Provenance::observation:
        return "tool";
      case Provenance::injected:
        return "request";
      case Provenance::summary:
        return "summary";
      case Provenance::action:
        return "kept turn";
      case Provenance::demonstration:
        return answerer ? "demo" : "demo summary";
      case Provenance::inherited:
      case Provenance::sampled:
        return answerer ? "Answerer" : "Summarizer";
    }
    return "";
  }

  /// ", weight version 5", or ", weight versions 5 (2 tokens), 6 (1 token)".
  static std::string versions(const ReportSpan& span) {
    const bool several = span.weight_versions.size() > 1;
    std::string text;
    for (const VersionRun& run : span.weight_versions) {
      text += (!text.empty() ? ", "
               : several     ? ", weight versions "
                             : ", weight version ") +
              std::to_string(run.version);
      if (several) text += " (" + plural(run.tokens, "token") + ")";
    }
    return text;
  }

  void span_line(const ReportSpan& span) {
    std::string title =
        std::string(to_string(span.provenance)) + ", " + plural(span.tokens, "token");
    if (span.provenance == Provenance::sampled) {
      title += " by the " + std::string(to_string(span.agent)) + versions(span);
      if (span.mean_log_prob && std::isfinite(*span.mean_log_prob))
        title += ", mean log-probability " + fixed_text(*span.mean_log_prob, 3);
    }
    if (span.trained) title += ", trained on";
    out_ += "<div class=\"span p-" + std::string(to_string(span.provenance)) + " a-" +
            std::string(to_string(span.agent)) + (span.trained ? " trained" : "") + "\" title=\"" +
            title + "\"><span class=\"who\">" + std::string(who(span)) +
            "</span><span "
            "class=\"text\">" +
            escape_markup(span.text) + "</span></div>\n";
  }

  /// The summary that was sampled at the end of window `index`, in it or in a window of the
  /// Summarizer's own; false if there is none.
  bool beside_summary(const ReportEpisode& episode, std::size_t index, std::size_t next,
                      std::size_t number) {
    std::vector<const ReportSpan*> spans;
    std::size_t tokens = 0;
    const ReportSegment* own = nullptr;
    for (std::size_t s = index; s < next; ++s) {
      if (s != index && episode.segments[s].parent != index) continue;
      if (s != index) own = &episode.segments[s];
      for (const ReportSpan& span : episode.segments[s].spans)
        if (is_summary(span)) {
          spans.push_back(&span);
          tokens += span.tokens;
        }
    }
    if (spans.empty()) return false;
    out_ += "<aside class=\"beside\"><h4>Summary " + std::to_string(number) + "<span>" +
            plural(tokens, "token") + "</span></h4>\n";
    for (const ReportSpan* span : spans) span_line(*span);
    if (next < episode.segments.size() && episode.segments[next].replacement)
      squeeze(*episode.segments[next].replacement, number);
    if (own != nullptr) own_window(*own);
    out_ += "</aside>\n";
    return true;
  }

  void squeeze(const Replacement& replacement, std::size_t number) {
    const double dropped =
        static_cast<double>(std::max<std::size_t>(1, replacement.dropped_tokens));
    const double share = static_cast<double>(replacement.summary_tokens) / dropped;
    out_ +=
        "<div class=\"squeeze\" aria-hidden=\"true\"><i style=\"width:100%\"></i><i "
        "style=\"width:" +
        trimmed_text(100 * std::min(1.0, share), 1) + "%\"></i></div><p>" +
        std::to_string(replacement.summary_tokens) + " tokens stand for " +
        std::to_string(replacement.dropped_tokens) + " in window " + std::to_string(number + 1) +
        ".</p>\n";
  }

  void own_window(const ReportSegment& segment) {
    out_ += "<details class=\"own\"><summary>The Summarizer's own window, " +
            plural(token_count(segment), "token") + "</summary><div class=\"context\">\n";
    for (const ReportSpan& span : segment.spans) span_line(span);
    out_ += "</div></details>\n";
  }

  void beside_dropped(const ReportSegment& next) {
    const std::size_t dropped = next.replacement ? next.replacement->dropped_tokens : 0;
    out_ += "<aside class=\"beside\"><h4>No summary</h4><p>" + plural(dropped, "token") +
            " dropped from the next window.</p></aside>\n";
  }

  void beside_ending(const ReportEpisode& episode) {
    const auto fact = [&](const char* name, const std::string& value) {
      if (!value.empty())
        out_ += std::string("<dt>") + name + "</dt><dd>" + escape_markup(value) + "</dd>";
    };
    out_ += "<aside class=\"beside " + outcome(episode) + "\"><h4>End</h4><dl>";
    fact("answer", episode.answer);
    fact("expected", episode.expected);
    fact("ending", episode.ending);
    fact("reward", shortest_text(episode.reward));
    out_ += "</dl></aside>\n";
  }

  // The run.

  void run() {
    out_ +=
        "<section id=\"run\" aria-labelledby=\"run-title\">\n<h2 id=\"run-title\">How to repeat "
        "it</h2>\n<p class=\"lead\">The same command on the same machine gives the same "
        "numbers, but for seconds.</p>\n";
    if (!data_.command.empty())
      out_ += "<pre class=\"card\" tabindex=\"0\" aria-label=\"Command\"><code>" +
              escape_markup(data_.command) + "</code></pre>\n";
    if (!data_.parameters.empty()) {
      out_ += "<dl class=\"parameters card\">\n";
      for (const auto& [name, value] : data_.parameters)
        out_ += "<div><dt>" + escape_markup(name) + "</dt><dd>" + escape_markup(value) +
                "</dd></div>\n";
      out_ += "</dl>\n";
    }
    out_ += "</section>\n";
  }

  const ReportData& data_;
  std::string out_;
};

}  // namespace detail

/// The report as one HTML page that loads nothing: style, script and pictures are in it, and a
/// content security policy forbids the rest.
///
/// Readable without script (which only switches between episodes), by keyboard, in light and dark.
/// All texts are escaped, whatever they hold. Equal data gives equal bytes.
/// Errors: Error when the lists of a series differ in length or a count is impossible.
inline std::string html_report(const ReportData& data) { return detail::HtmlReport(data).page(); }

/// Writes the report as a whole or not at all. Errors: as `html_report` and `AtomicFile`.
inline void write_html_report(const std::filesystem::path& path, const ReportData& data) {
  write_file_atomically(path, html_report(data));
}

}  // namespace dualagent
