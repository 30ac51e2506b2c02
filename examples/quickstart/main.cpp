// The ledger trail: trains an Answerer and a Summarizer together and compares them with baselines.
// docs/quickstart.md explains the task, the recipe and the rows.

#include <chrono>
#include <csignal>
#include <cstdio>
#include <exception>
#include <span>
#include <string>

#include "dualagent/report/curve_svg.hpp"
#include "dualagent/report/text_table.hpp"
#include "report.hpp"

namespace {

extern "C" void request_stop(int) { quickstart::stop_requested = 1; }

std::string command_of(std::span<const char* const> arguments) {
  std::string command = "bash examples/quickstart/run.sh";
  for (const char* const argument : arguments)
    if (std::string_view(argument) != "--resume") (command += ' ') += argument;
  return command;
}

void refuse_foreign_folder(const quickstart::Options& options) {
  if (!options.resume && std::filesystem::exists(options.out / "checkpoints"))
    throw dualagent::Error("the output folder holds an earlier run", options.out.string(),
                           "Add --resume to go on with it, or choose another folder with --out");
}

void run(const quickstart::Options& options, const std::string& command) {
  const auto start = std::chrono::steady_clock::now();
  refuse_foreign_folder(options);
  dualagent::ensure_directory(options.out);
  const quickstart::Data data = quickstart::load_data(options);
  quickstart::Run run(options, data);
  const std::vector<dualagent::ResultRow> rows = quickstart::run_rows(run);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  dualagent::write_result(options.out / "result.json",
                          {.seed = options.seed,
                           .seconds = seconds,
                           .rows = rows,
                           .max_abs_log_ratio = run.max_abs_log_ratio()});
  const dualagent::ReportData report = quickstart::report_data(run, rows, command);
  dualagent::write_html_report(options.out / "report.html", report);
  dualagent::write_file_atomically(options.out / "success.svg",
                                   dualagent::curve_svg(report.main_curve));
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
  const std::span<const char* const> arguments(argv + 1, static_cast<std::size_t>(argc - 1));
  std::string command = command_of(arguments);
  try {
    const quickstart::Options options = quickstart::parse_options(arguments);
    if (options.help) {
      std::fwrite(quickstart::kHelp.data(), 1, quickstart::kHelp.size(), stdout);
      return 0;
    }
    std::signal(SIGINT, request_stop);
    std::signal(SIGTERM, request_stop);
    run(options, command);
    return 0;
  } catch (const quickstart::Interrupted&) {
    std::fprintf(stderr, "\nStopped; everything is saved. Go on with:\n  %s --resume\n",
                 command.c_str());
    return 130;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "\nerror: %s\n", error.what());
    return 1;
  }
}
