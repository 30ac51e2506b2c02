#include "run.hpp"

#include <chrono>
#include <cstdio>
#include <utility>

#include "dualagent/report/curve_svg.hpp"
#include "dualagent/report/html_report.hpp"
#include "dualagent/report/memory.hpp"
#include "dualagent/report/report_runs.hpp"
#include "dualagent/report/result_json.hpp"
#include "dualagent/report/text_table.hpp"
#include "quickstart/success_curve.hpp"
#include "rows.hpp"

namespace ledger_smollm2 {

namespace da = dualagent;

std::vector<da::ResultRow> run_rows(Run& run) {
  std::vector<da::ResultRow> rows;
  const Options& options = run.options();
  if (options.wants("dual") || options.wants("warm_start") || options.wants("frozen_summarizer")) {
    const Agent warm = run.warm_start(Memory::notes, "dual");
    if (options.wants("dual")) rows.push_back(train_dual(run, warm));
    if (options.wants("dual") || options.wants("warm_start"))
      rows.push_back(evaluate_warm_start(run, warm));
    if (options.wants("frozen_summarizer")) rows.push_back(train_answerer(run, warm));
  }
  if (options.wants("sliding_window")) rows.push_back(train_sliding_window(run));
  if (options.wants("no_limit")) rows.push_back(train_no_limit(run));
  return rows;
}

namespace {

std::string recipe_of(const Options& options) {
  return std::to_string(options.steps) + " steps of " + std::to_string(options.tasks_per_step) +
         " tasks x " + std::to_string(options.group_size) + " rollouts";
}

da::ReportData report_data(const Run& run, std::vector<da::ResultRow> rows, std::string command) {
  const Options& options = run.options();
  return {.title = "A chain of debts: notes by SmolLM2",
          .subtitle = "A chain of 6 or 7 debts takes 209 to 274 tokens; the context window has " +
                      std::to_string(options.room.window) +
                      ". Every row is evaluated on the same held-out tasks.",
          .command = std::move(command),
          .parameters = {{"seed", std::to_string(options.seed)},
                         {"model", options.model.filename().string() + ", adapters of rank " +
                                       std::to_string(options.rank) + ", float"},
                         {"warm start", std::to_string(options.warm_start_steps) + " steps"},
                         {"reinforcement", recipe_of(options)},
                         {"max |log ratio|", da::shortest_text(run.max_abs_log_ratio) +
                                                 " between sampling and training, fresh batches"}},
          .rows = std::move(rows),
          .rows_note = "Sliding window and no limit have a warm start of their own.",
          .main_curve = quickstart::success_curve(options.tasks_per_step * options.group_size, 1),
          .runs = da::read_runs(options.out),
          .episodes = run.episodes()};
}

}  // namespace

void run(const Options& options, const std::string& command) {
  const auto start = std::chrono::steady_clock::now();
  const Data data = make_data(options);
  Run run(options, data);
  da::LiveReport report(options.out / "report.html");
  run.watch([&] { report.update([&] { return report_data(run, {}, command); }); });
  const std::vector<da::ResultRow> rows = run_rows(run);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  da::write_result(options.out / "result.json", {.seed = options.seed,
                                                 .seconds = seconds,
                                                 .rows = rows,
                                                 .max_abs_log_ratio = run.max_abs_log_ratio});
  report.finish(report_data(run, rows, command));
  da::write_file_atomically(
      options.out / "success.svg",
      da::curve_svg(quickstart::success_chart(options.out, rows, "Success during training", 1)));
  std::printf(
      "\nSolved held-out tasks, seed %llu:\n\n%s\nSampled at temperature 1, %s\n"
      "max |log ratio| between sampling and training: %s\npeak memory: %.1f GB\n\n"
      "Done in %.0f s: %s and %s\n",
      static_cast<unsigned long long>(options.seed), da::text_table(rows).c_str(),
      da::failure_table(rows).c_str(), da::shortest_text(run.max_abs_log_ratio).c_str(),
      static_cast<double>(da::peak_memory_bytes().value_or(0)) / 1e9, seconds,
      (options.out / "report.html").c_str(), (options.out / "result.json").c_str());
}

}  // namespace ledger_smollm2
