#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "demonstrator.hpp"
#include "dualagent/model/model_files.hpp"
#include "dualagent/optim/schedule.hpp"
#include "dualagent/train/run_work.hpp"
#include "dualagent/train/supervised.hpp"
#include "rows.hpp"

namespace ledger_smollm2 {

namespace da = dualagent;

Run::Run(const Options& options, const Data& data)
    : options_(options),
      data_(data),
      pool_(std::make_shared<da::ThreadPool>(options.threads)),
      base_(da::load_model(options.model, {.pool = pool_})),
      dialect_(make_dialect(options.model, options.room)) {
  da::check_fits_model(dialect_.tokenizer(), base_.vocab_size());
}

da::RunOptions Run::run_options(std::string name, std::string label, std::size_t steps) const {
  return {.folder = options_.out,
          .name = std::move(name),
          .label = std::move(label),
          .steps = steps,
          .earlier_run = options_.resume ? da::EarlierRun::resume : da::EarlierRun::refuse,
          .checkpoint_every = 1,
          .retention = {.keep_last = 1},
          .fingerprint = {{"seed", std::to_string(options_.seed)},
                          {"model", options_.model.string()},
                          {"warm_start_steps", std::to_string(options_.warm_start_steps)}}};
}

inline constexpr std::size_t kCheckpointEvery = 5;  // steps of a warm start

Agent Run::warm_start(Memory memory, const std::string& name) {
  Agent agent = make_agent();
  da::SupervisedTrainer<Agent> trainer(agent,
                                       {.optimizer = {.learning_rate = options_.warm_start_rate,
                                                      .beta1 = 0.9,
                                                      .beta2 = 0.98,
                                                      .weight_decay = 0.0},
                                        .max_gradient_norm = 1.0});
  const std::size_t steps = options_.warm_start_steps;
  da::RunOptions options = run_options("warm_start_" + name, "warm start (" + name + ")", steps);
  options.checkpoint_every = kCheckpointEvery;
  options.schedule = da::WarmupCosine{
      .warmup_steps = std::min<std::size_t>(5, steps), .total_steps = steps, .final_fraction = 0.1};
  const da::RandomStream random =
      this->random(Use::demonstrations).child(static_cast<std::uint64_t>(memory));
  const auto demonstrations = [&](std::size_t step) {
    const da::RandomStream own = random.child(step);
    std::vector<da::Segment> segments;
    for (std::size_t i = 0; i < options_.demonstrations_per_step; ++i)
      for (da::Segment& segment : demonstrate(dialect_, options_.room, memory, own.child(i)))
        segments.push_back(std::move(segment));
    for (std::size_t i = 0; i < options_.sums_per_step; ++i)
      segments.push_back(
          demonstrate_sums(dialect_, own.child(options_.demonstrations_per_step + i)));
    return segments;
  };
  da::TrainingRun run(std::move(options));
  run.after_record([&](const da::RunRecord&) { after_step_(); });
  const da::RunOutcome outcome = run.train(da::Imitation{trainer, demonstrations});
  if (outcome.interrupted()) throw quickstart::Interrupted{};
  warm_start_seconds = outcome.seconds;
  return agent.copy();  // without gradients
}

}  // namespace ledger_smollm2
