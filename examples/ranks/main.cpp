// The quickstart's pair on several ranks of this host: each plays its share of the rollouts and
// keeps its share of the optimizer's moments. docs/ranks.md explains it.
//   bash examples/ranks/run.sh [--ranks 2] [--steps 20] [--out quickstart-out]

#include <cstdio>
#include <cstdlib>
#include <dualagent/dualagent.hpp>
#include <memory>
#include <string>
#include <vector>

#include "quickstart/ledger.hpp"
#include "quickstart/ledger_dialect.hpp"
namespace da = dualagent;

namespace {

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
int train(const Options& options, da::SharedMemoryCollective shared) {
  const da::Sharded ranks{shared};
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

}  // namespace

int main(int argc, char** argv) try {
  const Options options(argc, argv);
  if (da::is_launched())
    return train(options, da::SharedMemoryCollective(da::rank_from_environment()));
  std::vector<std::string> command(argv, argv + argc);  // the same again, as ranks
  command[0] = "/proc/self/exe";
  const da::LaunchOutcome outcome = da::launch_ranks(command, {.ranks = options.ranks});
  if (outcome.status() != 0) std::fprintf(stderr, "\n%s", outcome.text().c_str());
  return outcome.status();
} catch (const da::Error& error) {
  std::fprintf(stderr, "error: %s\n", error.what());
  return 1;
}
