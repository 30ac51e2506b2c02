#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/number_text.hpp"
#include "dualagent/core/printable.hpp"
#include "dualagent/report/chart.hpp"
#include "dualagent/report/metrics.hpp"
#include "dualagent/report/report_episode.hpp"
#include "dualagent/report/result_row.hpp"
#include "dualagent/report/wilson.hpp"

namespace dualagent {

/// The measurements of a run, drawn as one curve in each chart of its group.
struct ReportRun {
  std::string name = {};   ///< a run named like a row of the table takes its title and colour
  std::string group = {};  ///< runs of one group share their charts; "": the run itself
  std::vector<MetricsRecord> records = {};  ///< one per step, in the order of the steps
};

/// The measurement that the page draws largest.
struct ReportCurve {
  std::string metric = "reward_mean";
  std::string title = "Reward";
  std::string caption = "mean of the step's rollouts";
  AxisUnit unit = AxisUnit::number;
  std::size_t mean_of = 1;  ///< each point is the mean of the last steps, of this many at most
  std::optional<double> y_min = {};  ///< none: from the data
  std::optional<double> y_max = {};
};

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
  ReportCurve main_curve = {};
  std::vector<ReportRun> runs = {};
  std::vector<ReportEpisode> episodes = {};
  bool finished = true;  ///< false: the page reads its data again every few seconds
};

namespace detail {

using ReportJson = nlohmann::ordered_json;

/// A text for the page, whatever it holds: valid UTF-8 without control characters.
std::string page_text(std::string_view text);

ReportJson optional_number(const std::optional<double>& value);

/// Seconds from the start of the run to the end of each step: `elapsed_seconds` where the records
/// have it, else the sum of what the parts of all steps so far took; nothing where neither is
/// known.
std::optional<std::vector<double>> elapsed_seconds(std::span<const MetricsRecord> records);

ReportJson span_json(const ReportSpan& span);

}  // namespace detail

/// The report's data as one line of JSON.
///
/// Proportions carry their 95 % Wilson intervals. A run has "steps", "seconds" from its start
/// (null where its records do not tell) and one column per number that any of its records has, with
/// null for what is not finite. Runs of more than `most_points` steps are thinned: a point then
/// stands for several steps, by their mean, or by their maximum for names that begin with "max_".
/// All texts are valid UTF-8 without control characters, and "<" is written as \u003c, so that the
/// line may stand inside a script element whatever the texts hold. Equal data gives equal bytes.
/// Errors: Error when there are more successes than trials.
std::string report_json(const ReportData& data, std::size_t most_points = 500);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/report/report_json.inl"
#endif
