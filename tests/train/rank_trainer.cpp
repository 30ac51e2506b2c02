// A rank of the tests of this folder: a run of a bigram model over shared memory.
//   rank_trainer FOLDER STEPS replicated|sharded [none|killed|stopped STEP]
// Goes on from the folder's checkpoint; rank 1 is killed or gets SIGTERM in that step. At the end
// rank 0 writes the weights to FOLDER/weights and each rank says how many moments it holds.

#include <signal.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "dualagent/collective/shared_memory.hpp"
#include "dualagent/train/trainer.hpp"
#include "dualagent/train/training_run.hpp"
#include "support/guessing_pair.hpp"

namespace da = dualagent;

namespace {

struct Arguments {
  std::filesystem::path folder;
  std::size_t steps;
  std::string disturbance;
  std::size_t disturbed_step;
};

template <class Collective>
int train(const Arguments& arguments, Collective collective) {
  BigramModel model = guessing::model();
  const da::UpdateOptions update{.optimizer = {.learning_rate = 0.05, .weight_decay = 0.1},
                                 .max_gradient_norm = 1e9,  // sums of doubles, see Sharded
                                 .bucket_elements = 50};
  da::Trainer trainer{da::SharedWeights{model},
                      guessing::protocol(),
                      da::ExactMatch{},
                      da::Recipe{da::Dapo{}},
                      collective,
                      {.group_size = 4, .update = update, .seed = 8}};
  da::TaskStream tasks(guessing::five_tasks(40), da::RandomStream::from_seed(3));
  da::TrainingRun run({.folder = arguments.folder,
                       .steps = arguments.steps,
                       .earlier_run = da::EarlierRun::resume,
                       .best = {"reward_mean"}});
  run.every(1, [&](da::RunRecord& record) {
    if (collective.rank() != 1 || record.step != arguments.disturbed_step) return;
    if (arguments.disturbance == "killed") ::kill(::getpid(), SIGKILL);
    if (arguments.disturbance == "stopped") ::kill(::getpid(), SIGTERM);
  });
  const auto outcome = run.train(da::Reinforcement{trainer, tasks, {.tasks = 8}});
  const da::WeightUpdater updater(model, update, collective);
  std::size_t moments = 0;
  updater.state().for_each([&](auto&&, const auto& array) { moments += array.size(); });
  std::printf("%zu steps, %zu moments\n", outcome.steps_done, moments);
  if (collective.rank() == 0) {
    std::string weights;
    for (const double weight : guessing::weights(model))
      weights += da::shortest_text(weight) + "\n";
    da::write_file_atomically(arguments.folder / "weights", weights);
  }
  return outcome.interrupted() ? 130 : 0;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 4) return 2;
  const Arguments arguments{argv[1], std::stoul(argv[2]), argc > 5 ? argv[4] : "none",
                            argc > 5 ? std::stoul(argv[5]) : 0};
  da::SharedMemoryCollective collective(da::rank_from_environment());
  if (std::string(argv[3]) == "sharded") return train(arguments, da::Sharded{collective});
  return train(arguments, collective);
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 3;
}
