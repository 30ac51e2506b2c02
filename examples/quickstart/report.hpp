#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dualagent/core/number_text.hpp"
#include "dualagent/report/html_report.hpp"
#include "dualagent/report/report_runs.hpp"
#include "dualagent/report/result_json.hpp"
#include "rows.hpp"
#include "success_curve.hpp"

namespace quickstart {

inline constexpr std::size_t kRolloutsPerStep = 128;  // 16 tasks x 8
inline constexpr std::size_t kMeanOfSteps = 5;        // of a point in curves of success

/// What the report shows; `rows` are those that are done.
inline dualagent::ReportData report_data(const Run& run, std::span<const dualagent::ResultRow> rows,
                                         std::string command) {
  const Options& options = run.options();
  return {.title = "Ledger trail: an Answerer and a Summarizer trained together",
          .subtitle =
              "A trail of 7 to 10 ledger pages takes 216 to 357 tokens; the context window has "
              "136. Every row is evaluated on the same held-out tasks.",
          .command = std::move(command),
          .parameters = {{"seed", std::to_string(options.seed)},
                         {"warm start", std::to_string(options.warm_start_steps) + " steps"},
                         {"reinforcement",
                          std::to_string(options.steps) + " steps of 16 tasks x 8 rollouts"},
                         {"model", "Llama-style, 3 layers, width 64, 151,872 parameters, float"},
                         {"max |log ratio|", dualagent::shortest_text(run.max_abs_log_ratio()) +
                                                 " between sampling and training, fresh batches"}},
          .rows = {rows.begin(), rows.end()},
          .rows_note =
              "Sliding window and no limit have a warm start of their own, in the best format "
              "for them. The one without a limit is good before it is trained by rewards, and "
              "takes a third of the learning rate.",
          .main_curve = success_curve(kRolloutsPerStep, kMeanOfSteps),
          .runs = dualagent::read_runs(options.out),
          .episodes = run.episodes()};
}

}  // namespace quickstart
