#pragma once

/// Definitions of text_table.hpp; see core/compiled.hpp.

#include "dualagent/report/text_table.hpp"

namespace dualagent::detail {

using TextLine = std::vector<std::string>;

/// Columns are as wide as their widest cell; the first is flush left, the others flush right.
inline std::string align_columns(std::span<const TextLine> lines) {
  std::vector<std::size_t> widths;
  for (const TextLine& line : lines) {
    widths.resize(std::max(widths.size(), line.size()));
    for (std::size_t c = 0; c < line.size(); ++c)
      widths[c] = std::max(widths[c], count_characters(line[c]));
  }
  std::string text;
  for (const TextLine& line : lines) {
    std::string row;
    for (std::size_t c = 0; c < line.size(); ++c) {
      const std::string padding(widths[c] - count_characters(line[c]), ' ');
      row += c == 0 ? line[c] + padding : "   " + padding + line[c];
    }
    row.erase(row.find_last_not_of(' ') + 1);
    text += row + '\n';
  }
  return text;
}

inline void append_proportion_cells(TextLine& line, const Proportion& proportion) {
  if (!proportion.measured()) {
    line.insert(line.end(), {"-", "-", "-"});
    return;
  }
  const Interval interval = wilson_interval(proportion);
  line.push_back(std::to_string(proportion.successes) + "/" + std::to_string(proportion.trials));
  line.push_back(percent_text(proportion.fraction(), 1));
  line.push_back(fixed_text(100 * interval.low, 1) + " to " + fixed_text(100 * interval.high, 1));
}

inline std::string optional_text(const std::optional<double>& value, int decimals) {
  return value ? fixed_text(*value, decimals) : "-";
}

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE std::string text_table(std::span<const ResultRow> rows) {
  if (rows.empty()) return {};
  const bool tokens = std::any_of(rows.begin(), rows.end(), [](const ResultRow& row) {
    return row.tokens_per_task.has_value();
  });
  const bool seconds = std::any_of(rows.begin(), rows.end(),
                                   [](const ResultRow& row) { return row.seconds.has_value(); });
  std::vector<detail::TextLine> lines{
      {"", "sampled", "", "95 % interval", "greedy", "", "95 % interval"}};
  if (tokens) lines[0].push_back("tokens/task");
  if (seconds) lines[0].push_back("seconds");
  for (const ResultRow& row : rows) {
    detail::TextLine line{printable(row.title())};
    if (!row.note.empty()) line[0] += " (" + printable(row.note) + ")";
    detail::append_proportion_cells(line, row.sampled);
    detail::append_proportion_cells(line, row.greedy);
    if (tokens) line.push_back(detail::optional_text(row.tokens_per_task, 0));
    if (seconds) line.push_back(detail::optional_text(row.seconds, 1));
    lines.push_back(std::move(line));
  }
  return detail::align_columns(lines);
}

DUALAGENT_INLINE std::string failure_table(std::span<const ResultRow> rows,
                                           std::vector<FailureCount> ResultRow::*failures) {
  const std::vector<std::string> kinds = failure_kinds(rows, failures);
  if (kinds.empty()) return {};
  std::vector<detail::TextLine> lines{{"failures by kind"}};
  for (const ResultRow& row : rows) lines[0].push_back(printable(row.title()));
  for (const std::string& kind : kinds) {
    lines.push_back({printable(kind)});
    for (const ResultRow& row : rows)
      lines.back().push_back(std::to_string(count_failures(row.*failures, kind)));
  }
  return detail::align_columns(lines);
}

}  // namespace dualagent
