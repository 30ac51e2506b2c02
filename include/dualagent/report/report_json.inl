#pragma once

/// Definitions of report_json.hpp; see core/compiled.hpp.

#include "dualagent/report/report_json.hpp"

namespace dualagent::detail {

DUALAGENT_INLINE std::string page_text(std::string_view text) {
  return printable(text, LineBreaks::keep);
}

inline ReportJson finite_or_null(double value) {
  return std::isfinite(value) ? ReportJson(value) : ReportJson();
}

DUALAGENT_INLINE ReportJson optional_number(const std::optional<double>& value) {
  return value ? finite_or_null(*value) : ReportJson();
}

inline ReportJson measure_json(const Proportion& proportion) {
  if (!proportion.measured()) return {};
  const Interval interval = wilson_interval(proportion);
  return {{"solved", proportion.successes},
          {"tasks", proportion.trials},
          {"fraction", proportion.fraction()},
          {"low", interval.low},
          {"high", interval.high}};
}

inline ReportJson failure_list_json(std::span<const FailureCount> failures) {
  ReportJson list = ReportJson::array();
  for (const FailureCount& failure : failures)
    list.push_back(ReportJson::array({page_text(failure.kind), failure.count}));
  return list;
}

inline ReportJson report_row_json(const ResultRow& row) {
  return {{"name", page_text(row.name)},
          {"title", page_text(row.title())},
          {"note", page_text(row.note)},
          {"sampled", measure_json(row.sampled)},
          {"greedy", measure_json(row.greedy)},
          {"failures_sampled", failure_list_json(row.failures_sampled)},
          {"failures_greedy", failure_list_json(row.failures_greedy)},
          {"tokens_per_task", optional_number(row.tokens_per_task)},
          {"seconds", optional_number(row.seconds)}};
}

DUALAGENT_INLINE std::optional<std::vector<double>> elapsed_seconds(
    std::span<const MetricsRecord> records) {
  std::vector<double> elapsed;
  double sum = 0;
  for (const MetricsRecord& record : records) {
    const std::optional<double> total = record.number("elapsed_seconds");
    bool known = total.has_value();
    for (const char* part : {"rollout_seconds", "score_seconds", "update_seconds"}) {
      const std::optional<double> seconds = record.number(part);
      known = known || seconds.has_value();
      sum += seconds && std::isfinite(*seconds) ? *seconds : 0;
    }
    if (!known) return std::nullopt;
    elapsed.push_back(total && std::isfinite(*total) ? *total : sum);
  }
  return elapsed;
}

/// Names of all numbers, in order of first appearance.
inline std::vector<std::string> number_names(std::span<const MetricsRecord> records) {
  std::vector<std::string> names;
  for (const MetricsRecord& record : records)
    for (const auto& [name, value] : record.numbers)
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  return names;
}

/// One point of a curve from the steps that it stands for: their largest value where the name says
/// "max", else their mean; NaN where no value is finite, nothing where no step has one.
inline std::optional<double> joined_number(std::span<const MetricsRecord> steps,
                                           const std::string& name) {
  const bool largest = name.rfind("max_", 0) == 0;
  std::optional<double> joined;
  std::size_t count = 0;
  for (const MetricsRecord& step : steps) {
    const std::optional<double> value = step.number(name);
    if (!value) continue;
    if (!joined) joined = std::numeric_limits<double>::quiet_NaN();
    if (!std::isfinite(*value)) continue;
    joined = count++ == 0 ? *value : largest ? std::max(*joined, *value) : *joined + *value;
  }
  if (count > 1 && !largest) *joined /= static_cast<double>(count);
  return joined;
}

/// {"name", "values"}, and "at", the points that have a value, where not all do.
inline ReportJson column_json(std::span<const MetricsRecord> records, const std::string& name,
                              std::size_t steps_per_point) {
  ReportJson values = ReportJson::array();
  ReportJson at = ReportJson::array();
  std::size_t point = 0;
  for (std::size_t begin = 0; begin < records.size(); begin += steps_per_point, ++point) {
    const std::size_t count = std::min(steps_per_point, records.size() - begin);
    const std::optional<double> value = joined_number(records.subspan(begin, count), name);
    if (!value) continue;
    values.push_back(finite_or_null(*value));
    at.push_back(point);
  }
  ReportJson column{{"name", page_text(name)}, {"values", std::move(values)}};
  if (at.size() < point) column["at"] = std::move(at);
  return column;
}

inline ReportJson run_json(const ReportRun& run, std::size_t most_points) {
  const std::size_t steps_per_point = (run.records.size() + most_points - 1) / most_points;
  const std::size_t stride = std::max<std::size_t>(1, steps_per_point);
  const auto elapsed = elapsed_seconds(run.records);
  ReportJson steps = ReportJson::array();
  ReportJson seconds = elapsed ? ReportJson::array() : ReportJson();
  for (std::size_t begin = 0; begin < run.records.size(); begin += stride) {
    const std::size_t last = std::min(begin + stride, run.records.size()) - 1;
    steps.push_back(run.records[last].step);
    if (elapsed) seconds.push_back((*elapsed)[last]);
  }
  ReportJson columns = ReportJson::array();
  for (const std::string& name : number_names(run.records))
    columns.push_back(column_json(run.records, name, stride));
  return {{"name", page_text(run.name)},   {"group", page_text(run.group)},
          {"steps_per_point", stride},     {"steps", std::move(steps)},
          {"seconds", std::move(seconds)}, {"columns", std::move(columns)}};
}

inline ReportJson curve_json(const ReportCurve& curve) {
  ReportJson json{{"metric", page_text(curve.metric)},
                  {"title", page_text(curve.title)},
                  {"caption", page_text(curve.caption)},
                  {"unit", curve.unit == AxisUnit::percent ? "percent" : "number"},
                  {"mean_of", curve.mean_of}};
  if (curve.y_min) json["min"] = *curve.y_min;
  if (curve.y_max) json["max"] = *curve.y_max;
  return json;
}

DUALAGENT_INLINE ReportJson span_json(const ReportSpan& span) {
  ReportJson json{{"provenance", to_string(span.provenance)},
                  {"agent", to_string(span.agent)},
                  {"trained", span.trained},
                  {"tokens", span.tokens},
                  {"text", page_text(span.text)}};
  for (const VersionRun& run : span.weight_versions)
    json["weight_versions"].push_back({{"version", run.version}, {"tokens", run.tokens}});
  if (span.mean_log_prob) json["mean_log_prob"] = finite_or_null(*span.mean_log_prob);
  return json;
}

inline ReportJson segment_json(const ReportSegment& segment) {
  ReportJson json{{"owner", to_string(segment.owner)}};
  if (segment.parent) json["parent"] = *segment.parent;
  if (segment.replacement)
    json["replacement"] = {{"dropped_tokens", segment.replacement->dropped_tokens},
                           {"summary_tokens", segment.replacement->summary_tokens}};
  json["spans"] = ReportJson::array();
  for (const ReportSpan& span : segment.spans) json["spans"].push_back(span_json(span));
  return json;
}

inline ReportJson episode_json(const ReportEpisode& episode) {
  ReportJson json{{"task", page_text(episode.task)},
                  {"stage", page_text(episode.stage)},
                  {"solved", episode.solved},
                  {"ending", page_text(episode.ending)},
                  {"answer", page_text(episode.answer)},
                  {"expected", page_text(episode.expected)},
                  {"reward", finite_or_null(episode.reward)},
                  {"segments", ReportJson::array()}};
  for (const ReportSegment& segment : episode.segments)
    json["segments"].push_back(segment_json(segment));
  return json;
}

/// Figure and sentence at the top of the page.
inline std::pair<std::string, std::string> headline_of(const ReportData& data) {
  std::pair<std::string, std::string> top{data.headline_figure, data.headline};
  if (data.rows.empty() || !data.rows[0].greedy.measured()) return top;
  const ResultRow& row = data.rows[0];
  const Interval interval = wilson_interval(row.greedy);
  if (top.first.empty()) top.first = percent_text(row.greedy.fraction(), 1);
  if (top.second.empty())
    top.second = "of " + std::to_string(row.greedy.trials) +
                 " held-out tasks solved: " + row.title() + ", greedy, 95 % interval " +
                 fixed_text(100 * interval.low, 1) + " to " + fixed_text(100 * interval.high, 1) +
                 " %.";
  return top;
}

template <class Items, class ToJson>
ReportJson list_json(const Items& items, ToJson&& to_json) {
  ReportJson list = ReportJson::array();
  for (const auto& item : items) list.push_back(to_json(item));
  return list;
}

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE std::string report_json(const ReportData& data, std::size_t most_points) {
  const auto [figure, sentence] = detail::headline_of(data);
  const detail::ReportJson json{
      {"title", detail::page_text(data.title)},
      {"subtitle", detail::page_text(data.subtitle)},
      {"headline_figure", detail::page_text(figure)},
      {"headline", detail::page_text(sentence)},
      {"command", detail::page_text(data.command)},
      {"parameters", detail::list_json(data.parameters,
                                       [](const auto& parameter) {
                                         return detail::ReportJson::array(
                                             {detail::page_text(parameter.first),
                                              detail::page_text(parameter.second)});
                                       })},
      {"rows", detail::list_json(data.rows, detail::report_row_json)},
      {"rows_note", detail::page_text(data.rows_note)},
      {"main_curve", detail::curve_json(data.main_curve)},
      {"runs", detail::list_json(data.runs,
                                 [&](const ReportRun& run) {
                                   return detail::run_json(run,
                                                           std::max<std::size_t>(1, most_points));
                                 })},
      {"episodes", detail::list_json(data.episodes, detail::episode_json)},
      {"finished", data.finished}};
  std::string safe;
  for (const char c : json.dump()) {
    if (c == '<')
      safe += "\\u003c";
    else
      safe += c;
  }
  return safe;
}

}  // namespace dualagent
