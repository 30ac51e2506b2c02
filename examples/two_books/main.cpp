// The two books: one warm start, then two runs of equal budget that differ in the training view.
// docs/two-books.md explains the task and the figures.

#include <chrono>
#include <cstdio>
#include <string>

#include "data.hpp"
#include "demonstration.hpp"
#include "options.hpp"
#include "protocol.hpp"
#include "quickstart/program.hpp"
#include "quickstart/rows.hpp"
#include "result.hpp"
#include "scores.hpp"

namespace {

using namespace two_books;

void train_both(quickstart::Run& run) {
  using namespace dualagent;
  const auto protocol = make_protocol(run.data());
  quickstart::Model warm = run.warm_start(quickstart::Memory::summaries, "books");
  run.evaluate({.name = "warm_start", .label = "warm start only"}, SharedWeights{warm}, protocol,
               AllSegments{});
  const auto train = [&](ResultRow row, auto view) {
    quickstart::Model model = run.make_model(quickstart::Memory::summaries);
    quickstart::copy_weights(warm, model);
    run.train(std::move(row), SharedWeights{model}, protocol, quickstart::main_recipe(view));
  };
  train({.name = "all", .label = "all segments"}, AllSegments{});
  train({.name = "final", .label = "final segment, summaries"}, FinalSegment{} | SummarizerOnly{});
}

void run(const quickstart::Options& options, const std::string&) {
  const auto start = std::chrono::steady_clock::now();
  const Data data = generate_data(options);
  Scores scores(data);
  quickstart::Run run(options, data.run, demonstrate,
                      [&](const std::string& row, float temperature, const auto& evaluation) {
                        scores.add(row, temperature, evaluation);
                      });
  train_both(run);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const Result result{.seed = options.seed,
                      .seconds = seconds,
                      .max_abs_log_ratio = run.max_abs_log_ratio(),
                      .rows = scores.rows()};
  write_result(options.out / "result.json", result);
  std::printf(
      "\n%zu held-out tasks:\n\n%s%s\n"
      "max |log ratio| between sampling and training: %s\n\nDone in %.0f s: %s\n",
      data.held_out.size(), std::string(kTableHead).c_str(), table_lines(result).c_str(),
      dualagent::shortest_text(result.max_abs_log_ratio).c_str(), seconds,
      (options.out / "result.json").c_str());
}

}  // namespace

int main(int argc, char** argv) {
  return quickstart::run_program({argv + 1, static_cast<std::size_t>(argc - 1)},
                                 "examples/two_books/run.sh", kHelp, parse_options, run);
}
