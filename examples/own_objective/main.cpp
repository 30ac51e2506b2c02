// Trains the quickstart's warm start with the objective of own_objective.hpp:
//   build/release/examples/own_objective

#include <cstdio>
#include <dualagent/dualagent.hpp>

#include "own_objective.hpp"
#include "quickstart/ledger.hpp"
#include "quickstart/ledger_dialect.hpp"
namespace da = dualagent;

int main() try {
  auto model = da::load_model("quickstart-out/models/warm_start/answerer");
  const auto ledger = quickstart::Ledger::read("quickstart-out/ledger.csv");
  da::Protocol protocol(quickstart::LedgerDialect{}, da::ToolBox{quickstart::LedgerLookup{ledger}},
                        da::TokenBudget{.max_tokens = 80}, da::ReplaceBySummary{},
                        da::RolloutLimits{.max_context_tokens = 136});
  da::Trainer trainer(da::SharedWeights{model}, protocol, da::ExactMatch{},
                      da::Recipe{own::Objective{}}, da::LocalCollective{},
                      {.group_size = 8, .seed = 7});
  da::TaskStream tasks("quickstart-out/tasks.jsonl", da::TaskRows{},
                       da::RandomStream::from_seed(7));
  for (int step = 0; step < 20; ++step)
    std::printf("step %d: reward %.3f\n", step, trainer.step(tasks.next(16)).reward_mean);
} catch (const std::exception& error) {
  std::fprintf(stderr, "error: %s\n", error.what());
  return 1;
}
