// The warm start: imitation of worked solutions.

#include <algorithm>
#include <cstddef>
#include <vector>

#include "agents.hpp"
#include "demonstration.hpp"
#include "dualagent/core/random.hpp"
#include "dualagent/optim/schedule.hpp"
#include "dualagent/train/run_work.hpp"
#include "dualagent/train/supervised.hpp"
#include "dualagent/train/training_run.hpp"
#include "fingerprint.hpp"
#include "quickstart/program.hpp"

namespace retool_summary {

void warm_start(const Options& options, const Setup& setup, Model& model) {
  using namespace dualagent;
  if (options.warm_start_steps == 0) return;
  std::vector<WorkedTask> worked = read_worked_tasks(options.tasks);
  shuffle(std::span<WorkedTask>(worked), RandomStream::from_seed(options.seed).child(2000));
  const Demonstrator demonstrator(setup.play);
  SupervisedTrainer<Model> trainer(
      model, {.optimizer = {.learning_rate = options.warm_start_rate, .beta2 = 0.95}});
  TrainingRun run(
      {.folder = options.out,
       .name = "warm_start",
       .label = "warm start",
       .steps = options.warm_start_steps,
       .schedule = WarmupCosine{.warmup_steps = std::min<std::size_t>(4, options.warm_start_steps),
                                .total_steps = options.warm_start_steps},
       .earlier_run = options.resume ? EarlierRun::resume : EarlierRun::refuse,
       .checkpoint_every = options.save_every,
       .retention = {.keep_last = 1},
       .fingerprint = fingerprint_of(options)});
  const auto demonstrations = [&](std::size_t step) {
    std::vector<Segment> segments;
    for (std::size_t i = 0; i < options.warm_start_episodes; ++i)
      for (Segment& segment :
           demonstrator.play(worked[(step * options.warm_start_episodes + i) % worked.size()]))
        segments.push_back(std::move(segment));
    return segments;
  };
  if (run.train(Imitation{trainer, demonstrations}).interrupted()) throw quickstart::Interrupted{};
  setup.tool_seconds->store(0.0);
}

}  // namespace retool_summary
