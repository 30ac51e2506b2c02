#pragma once

#include <cstddef>
#include <dualagent/dualagent.hpp>
#include <memory>
#include <string>

#include "quickstart/ledger.hpp"
#include "quickstart/ledger_dialect.hpp"

/// The quickstart's pair on several ranks, whatever they are: examples/ranks, examples/cluster.
namespace ranks_example {

namespace da = dualagent;

struct Options {
  std::size_t ranks = 2, steps = 20;
  std::string out = "quickstart-out";

  Options(int argc, char** argv) {
    for (int i = 1; i < argc; i += 2) {
      const std::string name = argv[i], value = i + 1 < argc ? argv[i + 1] : "";
      const auto number = da::parse_number<std::size_t>(value);
      if (name == "--out" && !value.empty())
        out = value;
      else if (name == "--ranks" && number)
        ranks = *number;
      else if (name == "--steps" && number)
        steps = *number;
      else
        throw da::Error("the options are --ranks N, --steps N and --out FOLDER", name);
    }
  }
};

/// What every rank does; equal on all but for the share of the rollouts that it plays.
template <class Collective>
int train(const Options& options, Collective collective) {
  const da::Sharded ranks{collective};
  auto model = da::load_model(options.out + "/models/warm_start/answerer",
                              {.pool = std::make_shared<da::ThreadPool>(1)});
  const auto ledger = quickstart::Ledger::read(options.out + "/ledger.csv");
  da::Protocol protocol(quickstart::LedgerDialect{}, da::ToolBox{quickstart::LedgerLookup{ledger}},
                        da::TokenBudget{.max_tokens = 80}, da::ReplaceBySummary{},
                        da::RolloutLimits{.max_context_tokens = 136});
  da::Trainer trainer(da::SharedWeights{model}, protocol, da::ExactMatch{}, da::Recipe{da::Dapo{}},
                      ranks, {.group_size = 8, .seed = 7});
  da::TaskStream tasks(options.out + "/tasks.jsonl", da::TaskRows{},
                       da::RandomStream::from_seed(7));
  const auto held_out = da::read_evaluation_tasks(options.out + "/held_out.jsonl", da::TaskRows{});
  da::TrainingRun run({.folder = options.out + "/ranks",
                       .steps = options.steps,
                       .earlier_run = da::EarlierRun::resume,
                       .best = {"eval_reward_mean"}});
  run.evaluate_every(5, [&] { return trainer.evaluate(held_out, da::kGreedy); });
  if (run.train(da::Reinforcement{trainer, tasks, {.tasks = 16}}).interrupted()) return 130;
  run.load_best(trainer);
  if (ranks.rank() == 0) da::save_model(options.out + "/models/ranks", model);
  return 0;
}

}  // namespace ranks_example
