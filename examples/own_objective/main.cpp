// Trains with the objective of own_objective.hpp, on what a quickstart run has left behind.
//   build/release/examples/own_objective quickstart-out

#include <cstdio>
#include <string>

#include "dualagent/dualagent.hpp"
#include "own_objective.hpp"
#include "quickstart/ledger.hpp"
#include "quickstart/ledger_dialect.hpp"
namespace da = dualagent;

int main(int argc, char** argv) try {
  const std::string run = argc > 1 ? argv[1] : "quickstart-out";
  da::Transformer<float> model{da::load_config(run + "/models/dual/answerer")};
  da::load_weights(run + "/models/dual/answerer", model);
  const auto ledger =
      std::make_shared<quickstart::Ledger>(quickstart::Ledger::read(run + "/ledger.csv"));
  da::Protocol protocol{quickstart::LedgerDialect{}, da::ToolBox{quickstart::LedgerLookup{ledger}},
                        da::TokenBudget{.max_tokens = 80}, da::ReplaceBySummary{},
                        da::RolloutLimits{.max_context_tokens = 136}};
  da::Trainer trainer{da::SharedWeights{model}, protocol,
                      da::ExactMatch{},         da::Recipe{own::Objective{}},
                      da::LocalCollective{},    {.group_size = 8, .seed = 7}};
  std::vector<da::Task> tasks = da::read_tasks(run + "/tasks.jsonl");
  tasks.resize(16);
  for (int step = 0; step < 5; ++step)
    std::printf("step %d: reward %.3f\n", step, trainer.step(tasks).reward_mean);
} catch (const da::Error& error) {
  std::fprintf(stderr, "error: %s\n", error.what());
  return 1;
}
