// The ledger trail: trains an Answerer and a Summarizer together and compares them with baselines.
// docs/quickstart.md explains the task, the recipe and the rows.

#include <chrono>
#include <cstdio>
#include <string>

#include "dualagent/report/curve_svg.hpp"
#include "dualagent/report/text_table.hpp"
#include "program.hpp"
#include "report.hpp"

namespace {

void run(const quickstart::Options& options, const std::string& command) {
  const auto start = std::chrono::steady_clock::now();
  const quickstart::Data data = quickstart::load_data(options);
  quickstart::Run run(options, data);
  dualagent::LiveReport report(options.out / "report.html");
  run.watch([&] { report.update([&] { return quickstart::report_data(run, {}, command); }); });
  const std::vector<dualagent::ResultRow> rows = quickstart::run_rows(run);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  dualagent::write_result(options.out / "result.json",
                          {.seed = options.seed,
                           .seconds = seconds,
                           .rows = rows,
                           .max_abs_log_ratio = run.max_abs_log_ratio()});
  report.finish(quickstart::report_data(run, rows, command));
  dualagent::write_file_atomically(
      options.out / "success.svg",
      dualagent::curve_svg(quickstart::success_chart(options.out, rows, "Success during training",
                                                     quickstart::kMeanOfSteps)));
  std::printf(
      "\nSolved held-out tasks, seed %llu:\n\n%s\nSampled at temperature 1, %s\n"
      "max |log ratio| between sampling and training: %s\n\nDone in %.0f s: %s and %s\n",
      static_cast<unsigned long long>(options.seed), dualagent::text_table(rows).c_str(),
      dualagent::failure_table(rows).c_str(),
      dualagent::shortest_text(run.max_abs_log_ratio()).c_str(), seconds,
      (options.out / "report.html").c_str(), (options.out / "result.json").c_str());
}

}  // namespace

int main(int argc, char** argv) {
  return quickstart::run_program(
      {argv + 1, static_cast<std::size_t>(argc - 1)}, "examples/quickstart/run.sh",
      quickstart::kHelp, [](auto arguments) { return quickstart::parse_options(arguments); }, run);
}
