// A rank of the tests of this folder: a run of a bigram model over shared memory.
//   rank_trainer FOLDER STEPS replicated|sharded|model|rows [none|killed|stopped STEP]
// "model": of a transformer that all ranks have together; "rows": of one whose rows they divide.
// Goes on from the folder's checkpoint; rank 1 is killed or gets SIGTERM in that step. At the end
// rank 0 writes the weights to FOLDER/weights and each rank says how many moments it holds.

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "dualagent/collective/shared_memory.hpp"
#include "dualagent/model/parallel_transformer.hpp"
#include "dualagent/train/trainer.hpp"
#include "dualagent/train/training_run.hpp"
#include "support/guessing_pair.hpp"
#include "support/ragged_rows.hpp"
#include "support/two_token_turns.hpp"

namespace da = dualagent;

namespace {

struct Arguments {
  std::filesystem::path folder;
  std::size_t steps;
  std::string disturbance;
  std::size_t disturbed_step;
};

void write_weights(const Arguments& arguments, std::span<const double> weights) {
  std::string text;
  for (const double weight : weights) text += da::shortest_text(weight) + "\n";
  da::write_file_atomically(arguments.folder / "weights", text);
}

template <class Axis>
int train_together(const Arguments& arguments, Axis axis) {
  da::Mesh mesh{da::LocalCollective{}, axis};
  da::ParallelTransformer<Axis, double> model(ragged_shape(true), mesh.model_axis(), {.seed = 3});
  std::atomic<int> calls{0};
  da::Trainer trainer{
      da::SharedWeights{model},
      two_tokens::protocol(calls),
      two_tokens::LastToken{},
      da::Recipe{da::Dapo{}},
      mesh,
      {.group_size = 4, .update = {.optimizer = {.learning_rate = 1e-3}}, .seed = 8}};
  da::TaskStream tasks(two_tokens::tasks(20), da::RandomStream::from_seed(3));
  da::TrainingRun run({.folder = arguments.folder,
                       .steps = arguments.steps,
                       .earlier_run = da::EarlierRun::resume});
  const auto outcome = run.train(da::Reinforcement{trainer, tasks, {.tasks = 3}});
  std::printf("%zu steps, %zu parameters, %s\n", outcome.steps_done, model.parameters().size(),
              calls > 0 ? "tools" : "no tools");
  const auto whole =
      model.slices().gather(model.model_axis(), std::span<const double>(model.parameters()));
  if (da::is_first_rank(mesh)) write_weights(arguments, whole);
  return 0;
}

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
  if (collective.rank() == 0) write_weights(arguments, guessing::weights(model));
  return outcome.interrupted() ? 130 : 0;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 4) return 2;
  const Arguments arguments{argv[1], std::stoul(argv[2]), argc > 5 ? argv[4] : "none",
                            argc > 5 ? std::stoul(argv[5]) : 0};
  da::SharedMemoryCollective collective(da::rank_from_environment());
  if (std::string(argv[3]) == "model") return train_together(arguments, collective);
  if (std::string(argv[3]) == "rows")
    return train_together(arguments, da::ContextParallel{collective});
  if (std::string(argv[3]) == "sharded") return train(arguments, da::Sharded{collective});
  return train(arguments, collective);
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 3;
}
