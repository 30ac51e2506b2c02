// Compares objectives and training views: one warm start, many recipes, equal budgets.
// docs/objective-sweep.md has the table; entries.hpp is the list.

#include <cstdio>
#include <string>

#include "dualagent/core/number_text.hpp"
#include "entries.hpp"
#include "programs.hpp"
#include "quickstart/program.hpp"
#include "report.hpp"

namespace {

using namespace objective_sweep;

void run(const Options& options, const std::string& command) {
  Result result{
      .seed = options.seed, .steps = options.steps, .warm_start_steps = options.warm_start_steps};
  const auto sweep = [&](std::string_view name, auto sweep_problem) {
    if (!options.wants_problem(name)) return;
    result.problems.emplace_back();
    sweep_problem(options, [&](const ProblemResult& problem) {
      result.problems.back() = problem;
      write_result(options.out, result);
      write_report(options.out / problem.name, options, problem, command);
    });
  };
  sweep(kProblemNames[0], sweep_ledger_trail);
  sweep(kProblemNames[1], sweep_two_books);
  std::printf("\n%sDone in %.0f s: %s and %s\n", tables(result).c_str(), result.seconds(),
              (options.out / "table.md").c_str(), (options.out / "result.json").c_str());
}

}  // namespace

int main(int argc, char** argv) {
  return quickstart::run_program(
      {argv + 1, static_cast<std::size_t>(argc - 1)}, "examples/objective_sweep/run.sh", kHelp,
      [](auto arguments) { return parse_options(arguments, entry_names<Experiments>()); }, run);
}
