#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <utility>

#include "dualagent/report/metrics.hpp"
#include "entry.hpp"
#include "options.hpp"
#include "problems.hpp"
#include "quickstart/program.hpp"
#include "result.hpp"

namespace objective_sweep {

/// Sees a problem's result after every experiment, so that an interrupted sweep loses none.
using Keep = std::function<void(const ProblemResult&)>;

namespace detail {

/// Adds what the metrics of all steps say about the cost.
inline void add_cost(Row& row, const std::filesystem::path& metrics) {
  const std::vector<dualagent::MetricsRecord> records = dualagent::read_metrics(metrics);
  double tokens = 0;
  double seconds = 0;
  for (const dualagent::MetricsRecord& record : records) {
    tokens += record.number("trained_tokens").value_or(0);
    for (const char* part : {"rollout_seconds", "score_seconds", "update_seconds"})
      seconds += record.number(part).value_or(0);
  }
  row.trained_tokens = tokens;
  row.seconds_per_step = seconds / static_cast<double>(std::max<std::size_t>(1, records.size()));
}

/// A copy of the warm start, with a value head where the recipe has a critic.
template <class Recipe>
quickstart::Model model_for(const quickstart::Model& warm) {
  if constexpr (dualagent::needs_critic<decltype(Recipe::objective)>())
    return warm.with_value_head();
  else
    return warm.copy();
}

}  // namespace detail

/// Trains one warm start with every wanted recipe of `Experiments` and evaluates each. All see the
/// same tasks, in the same order, with the same random numbers, for the same number of steps.
///
/// `Problem` is LedgerTrail, TwoBooks or a class with their members. Files go to out/NAME.
/// Determinism: as `quickstart::Run`; an entry's result does not depend on the other entries.
/// Errors: Error of options and files; quickstart::Interrupted after Ctrl-C, once all is saved.
template <class Problem, class Experiments>
void run_sweep(const Options& options, const Keep& keep) {
  const auto start = std::chrono::steady_clock::now();
  quickstart::Options own = options;
  own.out = options.out / std::string(Problem::kName);
  quickstart::refuse_foreign_folder(own.out, own.resume);
  dualagent::ensure_directory(own.out);
  Problem problem(own);
  quickstart::Run& run = problem.run();
  ProblemResult result{.name = std::string(Problem::kName), .title = std::string(Problem::kTitle)};
  const auto add = [&](Row row) {
    row.right_book = problem.right_book();
    result.rows.push_back(std::move(row));
    result.max_abs_log_ratio = run.max_abs_log_ratio();
    result.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    keep(result);
  };
  const auto protocol = problem.protocol();
  quickstart::Model warm = run.warm_start(quickstart::Memory::summaries, "shared");
  add({.evaluation =
           run.evaluate({.name = "warm_start", .label = "warm start only"},
                        dualagent::SharedWeights{warm}, protocol, dualagent::AllSegments{})});
  for_each_entry<Experiments>([&]<class E>(E) {
    if (!options.wants_entry(E::name())) return;
    quickstart::Model model = detail::model_for<typename E::Recipe>(warm);
    Row row{.evaluation =
                run.train({.name = E::name(), .label = std::string(E::label)},
                          dualagent::SharedWeights{model}, protocol, typename E::Recipe{})};
    detail::add_cost(row, dualagent::RunFiles{own.out, row.evaluation.name}.metrics());
    add(std::move(row));
  });
}

}  // namespace objective_sweep
