#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "dualagent/core/json.hpp"
#include "dualagent/core/number_text.hpp"
#include "dualagent/core/printable.hpp"
#include "dualagent/io/atomic_file.hpp"
#include "dualagent/report/result_json.hpp"
#include "dualagent/report/result_row.hpp"
#include "dualagent/report/wilson.hpp"

namespace objective_sweep {

/// What one experiment cost and gave.
struct Row {
  dualagent::ResultRow evaluation = {};         ///< on the held-out tasks
  std::optional<double> trained_tokens = {};    ///< in the loss, all steps; none: not trained
  std::optional<double> seconds_per_step = {};  ///< rollouts and updates, mean
  /// Held-out episodes that opened the right book, sampled; none: a problem without books.
  std::optional<dualagent::Proportion> right_book = {};
};

struct ProblemResult {
  std::string name = {};
  std::string title = {};
  double seconds = 0;            ///< so far
  double max_abs_log_ratio = 0;  ///< nats, between sampling and training
  std::vector<Row> rows = {};    ///< the warm start first

  std::vector<dualagent::ResultRow> evaluations() const {
    std::vector<dualagent::ResultRow> evaluations;
    for (const Row& row : rows) evaluations.push_back(row.evaluation);
    return evaluations;
  }
};

struct Result {
  std::uint64_t seed = 0;
  std::size_t steps = 0;
  std::size_t warm_start_steps = 0;
  std::vector<ProblemResult> problems = {};

  double seconds() const {
    double sum = 0;
    for (const ProblemResult& problem : problems) sum += problem.seconds;
    return sum;
  }
};

namespace detail {

using Line = std::vector<std::string>;  // one cell per column

inline std::string interval_text(const dualagent::Proportion& proportion) {
  const dualagent::Interval interval = dualagent::wilson_interval(proportion);
  return dualagent::fixed_text(100 * interval.low, 1) + " to " +
         dualagent::fixed_text(100 * interval.high, 1);
}

inline Line table_line(const Row& row, bool books) {
  const dualagent::ResultRow& evaluation = row.evaluation;
  Line line{dualagent::printable(evaluation.title())};
  for (const dualagent::Proportion& proportion : {evaluation.sampled, evaluation.greedy}) {
    line.push_back(dualagent::percent_text(proportion.fraction(), 1));
    line.push_back(interval_text(proportion));
  }
  if (books)
    line.push_back(row.right_book ? dualagent::percent_text(row.right_book->fraction(), 1) : "-");
  line.push_back(row.trained_tokens ? dualagent::fixed_text(*row.trained_tokens / 1000, 0) + " k"
                                    : "-");
  line.push_back(row.seconds_per_step ? dualagent::fixed_text(*row.seconds_per_step, 2) : "-");
  return line;
}

/// Columns are as wide as their widest cell; the first is flush left, the others flush right.
inline std::string markdown(std::span<const Line> lines) {
  std::vector<std::size_t> widths(lines.front().size(), 3);
  for (const Line& line : lines)
    for (std::size_t c = 0; c < line.size(); ++c)
      widths[c] = std::max(widths[c], dualagent::count_characters(line[c]));
  std::string text;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    for (std::size_t c = 0; c < widths.size(); ++c) {
      const std::string padding(widths[c] - dualagent::count_characters(lines[i][c]), ' ');
      text += "| " + (c == 0 ? lines[i][c] + padding : padding + lines[i][c]) + " ";
    }
    text += "|\n";
    if (i > 0) continue;
    for (std::size_t c = 0; c < widths.size(); ++c)
      text += "|" + std::string(widths[c] + 1, '-') + (c == 0 ? "-" : ":");
    text += "|\n";
  }
  return text;
}

}  // namespace detail

/// One problem's table, in Markdown that is also aligned for a terminal.
inline std::string table(const ProblemResult& problem) {
  const bool books = std::any_of(problem.rows.begin(), problem.rows.end(),
                                 [](const Row& row) { return row.right_book.has_value(); });
  detail::Line head{"recipe, trained tokens of", "sampled", "95 % interval", "greedy",
                    "95 % interval"};
  if (books) head.push_back("right book");
  head.insert(head.end(), {"trained", "s/step"});
  std::vector<detail::Line> lines{std::move(head)};
  for (const Row& row : problem.rows) lines.push_back(detail::table_line(row, books));
  return detail::markdown(lines);
}

/// All tables with what must be known of them.
inline std::string tables(const Result& result) {
  std::string text;
  for (const ProblemResult& problem : result.problems) {
    if (problem.rows.empty()) continue;
    text += "## " + problem.title + "\n\nSeed " + std::to_string(result.seed) + ", " +
            std::to_string(result.steps) + " steps each, " +
            std::to_string(problem.rows.front().evaluation.sampled.trials) +
            " held-out tasks.\n\n" + table(problem) + "\n";
  }
  return text;
}

/// The text of result.json: for each problem what `dualagent::result_json` gives, and beside it
/// for each row "label", "trained_tokens", "seconds_per_step" and "right_book_sampled" where known.
/// Errors: as `dualagent::result_json`.
inline std::string result_json(const Result& result) {
  nlohmann::ordered_json problems = nlohmann::ordered_json::array();
  for (const ProblemResult& problem : result.problems) {
    nlohmann::ordered_json object{{"name", problem.name}};
    const std::string common =
        dualagent::result_json({.seed = result.seed,
                                .seconds = problem.seconds,
                                .rows = problem.evaluations(),
                                .max_abs_log_ratio = problem.max_abs_log_ratio});
    object.update(dualagent::parse_json<nlohmann::ordered_json>(common, "result_json", ""));
    for (std::size_t i = 0; i < problem.rows.size(); ++i) {
      const Row& row = problem.rows[i];
      nlohmann::ordered_json& entry = object["rows"][i];
      entry["label"] = row.evaluation.title();
      if (row.trained_tokens) entry["trained_tokens"] = *row.trained_tokens;
      if (row.seconds_per_step) entry["seconds_per_step"] = *row.seconds_per_step;
      if (row.right_book) entry["right_book_sampled"] = row.right_book->fraction();
    }
    problems.push_back(std::move(object));
  }
  const nlohmann::ordered_json object{{"seed", result.seed},
                                      {"steps", result.steps},
                                      {"warm_start_steps", result.warm_start_steps},
                                      {"seconds", result.seconds()},
                                      {"problems", std::move(problems)}};
  return object.dump(2) + '\n';
}

/// Writes table.md and result.json, each as a whole or not at all.
inline void write_result(const std::filesystem::path& out, const Result& result) {
  dualagent::write_file_atomically(out / "result.json", result_json(result));
  dualagent::write_file_atomically(out / "table.md", tables(result));
}

}  // namespace objective_sweep
