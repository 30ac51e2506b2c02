#include <cstdio>
#include <dualagent/dualagent.hpp>

#include "quickstart/ledger.hpp"          // your tool
#include "quickstart/ledger_dialect.hpp"  // how your tasks are written in tokens
namespace da = dualagent;

int main() try {
  auto model = da::load_model("quickstart-out/models/warm_start/answerer");
  const auto ledger = quickstart::Ledger::read("quickstart-out/ledger.csv");
  da::Protocol protocol(quickstart::LedgerDialect{}, da::ToolBox{quickstart::LedgerLookup{ledger}},
                        da::TokenBudget{.max_tokens = 80}, da::ReplaceBySummary{},
                        da::RolloutLimits{.max_context_tokens = 136});
  da::Trainer trainer(da::SharedWeights{model}, protocol, da::ExactMatch{}, da::Recipe{da::Dapo{}},
                      da::LocalCollective{}, {.group_size = 8, .seed = 7});
  da::TaskStream data("quickstart-out/tasks.jsonl", da::TaskRows{}, da::RandomStream::from_seed(7));
  const auto held_out = da::read_evaluation_tasks("quickstart-out/held_out.jsonl", da::TaskRows{});
  da::TrainingRun run({.folder = "quickstart-out/first_trainer",
                       .steps = 20,
                       .earlier_run = da::EarlierRun::resume,
                       .best = {"eval_reward_mean"}});
  run.evaluate_every(5, [&] { return trainer.evaluate(held_out, da::kGreedy); });
  if (run.train(da::Reinforcement{trainer, data, {.tasks = 16}}).interrupted()) return 130;
  run.load_best(trainer);
  da::save_model("quickstart-out/models/first_trainer", model);
} catch (const std::exception& error) {
  std::fprintf(stderr, "error: %s\n", error.what());
  return 1;
}
