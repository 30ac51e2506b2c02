#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "agents.hpp"
#include "dualagent/core/number_text.hpp"
#include "dualagent/io/atomic_file.hpp"
#include "dualagent/report/html_report.hpp"
#include "dualagent/report/report_runs.hpp"

namespace retool_summary {

/// What the report's table shows: the held-out tasks before and after the training.
inline std::vector<dualagent::ResultRow> rows_of(const Outcome& outcome) {
  std::vector<dualagent::ResultRow> rows;
  if (outcome.after) rows.push_back(outcome.after->row("after", "after training"));
  if (outcome.before) rows.push_back(outcome.before->row("before", "before training"));
  return rows;
}

/// result.json: the counts before and after, and where the time went.
inline void write_result(const std::filesystem::path& path, const Options& options,
                         const Outcome& outcome, const PartSeconds& parts) {
  nlohmann::ordered_json json{{"seed", options.seed},
                              {"seconds", outcome.seconds},
                              {"max_abs_log_ratio", parts.max_abs_log_ratio},
                              {"steps", parts.steps},
                              {"seconds_per_step",
                               {{"rollouts", parts.rollout},
                                {"summaries_by_tokens", parts.summaries},
                                {"inside_tool_calls", parts.tools},
                                {"scoring", parts.score},
                                {"update", parts.update}}},
                              {"seconds_per_evaluation", parts.evaluation}};
  if (outcome.before) json["before"] = nlohmann::json(*outcome.before);
  if (outcome.after) json["after"] = nlohmann::json(*outcome.after);
  dualagent::write_file_atomically(path, json.dump(2) + '\n');
}

/// result.json and report.html. Errors: as `AtomicFile` and `LiveReport`.
inline void write_outcome(const Options& options, const Outcome& outcome, const PartSeconds& parts,
                          const std::string& command) {
  write_result(options.out / "result.json", options, outcome, parts);
  dualagent::LiveReport(options.out / "report.html")
      .finish(
          {.title = "An Answerer with a Python tool and a Summarizer",
           .subtitle =
               "Trained from " + options.model.string() + " on " + options.tasks.string() + ".",
           .command = command,
           .parameters = {{"seed", std::to_string(options.seed)},
                          {"budget", std::to_string(options.budget) + " tokens"}},
           .rows = rows_of(outcome),
           .rows_note = "Samples of one task are not independent: the intervals are too narrow.",
           .runs = dualagent::read_runs(options.out),
           .episodes = outcome.episodes});
}

namespace detail {

inline std::string score_line(const char* when, const Score& score) {
  return std::string("  ") + when + "  mean@" + std::to_string(score.samples) + " " +
         dualagent::percent_text(score.mean(), 1) + "  boxed " +
         dualagent::percent_text(score.share(score.boxed), 1) + "  calls " +
         dualagent::fixed_text(score.share(score.calls), 2) + "  summaries " +
         dualagent::fixed_text(score.share(score.summaries), 2) + " per episode, " +
         std::to_string(score.rollouts) + " episodes\n";
}

inline std::string part_line(const char* part, double seconds) {
  return std::string("  ") + part + dualagent::fixed_text(seconds, 2) + " s\n";
}

}  // namespace detail

/// What the terminal shows at the end.
inline std::string outcome_text(const Outcome& outcome, const PartSeconds& parts) {
  using namespace detail;
  std::string text;
  if (outcome.before && outcome.after) {
    text += "Held-out tasks:\n" + score_line("before", *outcome.before) +
            score_line("after ", *outcome.after);
    if (outcome.after->share(outcome.after->boxed) < outcome.before->share(outcome.before->boxed))
      text += "  Fewer answers have their box than before.\n";
    if (outcome.after->mean() < outcome.before->mean())
      text += "  Fewer answers are right than before.\n";
  }
  text += "Seconds per step, mean of " + std::to_string(parts.steps) + ":\n" +
          part_line("rollouts                       ", parts.rollout) +
          part_line("  of them summaries, by tokens ", parts.summaries) +
          part_line("  inside tool calls, beside    ", parts.tools) +
          part_line("scoring                        ", parts.score) +
          part_line("update                         ", parts.update) +
          part_line("an evaluation                  ", parts.evaluation);
  return text + "max |log ratio| between sampling and training: " +
         dualagent::shortest_text(parts.max_abs_log_ratio) + "\n";
}

}  // namespace retool_summary
