#include "dualagent/train/run_work.hpp"

#include <optional>
#include <string>
#include <vector>

#include "dualagent/trace/rollout_file.hpp"
#include "dualagent/train/supervised.hpp"
#include "dualagent/train/trainer.hpp"
#include "dualagent/train/training_run.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/guessing_pair.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;

namespace {

constexpr StepTasks kLot{.tasks = 3, .spare = 1};

RunOptions options(const TemporaryFolder& folder, std::size_t steps) {
  return {.folder = folder.path(), .steps = steps, .earlier_run = EarlierRun::resume};
}

TaskStream stream(std::size_t tasks = 10, std::uint64_t seed = 7) {
  return {guessing::five_tasks(tasks), RandomStream::from_seed(seed)};
}

template <class Reward = ExactMatch>
auto make_trainer(BigramModel& model, Reward reward = {}) {
  return Trainer{
      SharedWeights{model},
      guessing::protocol(),
      reward,
      Recipe{Dapo{}},
      LocalCollective{},
      TrainerOptions{.group_size = 4, .update = {.optimizer = {.learning_rate = 0.1}}, .seed = 3}};
}

/// Differs within nearly every group, so that every step updates.
struct LongestContext {
  std::optional<double> score(const Task&, const Rollout& rollout) const {
    return static_cast<double>(rollout.segments.front().context.size());
  }
};

/// Two segments that depend on the step.
std::vector<Segment> demonstrations(std::size_t step) {
  std::vector<Segment> segments(2);
  for (std::size_t i = 0; i < segments.size(); ++i) {
    Context& context = segments[i].context;
    context.append(Provenance::prompt,
                   std::vector<Token>{toy::bos, toy::digit(static_cast<int>(i + step % 5))});
    context.append(Provenance::demonstration, std::vector<Token>{toy::answer, toy::digit(5)});
  }
  return segments;
}

}  // namespace

TEST_CASE("reinforcement in a run takes the steps of a loop by hand, with breaks too", "[train]") {
  BigramModel by_hand = guessing::model();
  {
    auto trainer = make_trainer(by_hand);
    TaskStream tasks = stream();
    for (int step = 0; step < 5; ++step) {
      const std::vector<Task> lot = tasks.next(3);
      trainer.step(lot, 1.0, tasks.next(1));
    }
  }
  for (std::size_t broken_after = 1; broken_after <= 5; ++broken_after) {
    TemporaryFolder folder;
    BigramModel model = guessing::model();
    for (const std::size_t steps : {broken_after, std::size_t{5}}) {
      model = guessing::model();
      auto trainer = make_trainer(model);
      TaskStream tasks = stream();
      TrainingRun run(options(folder, steps), ProgressScreen::silent());
      run.evaluate_every(2, [&] {
        const std::vector<Task> held_out = guessing::five_tasks(2);
        return trainer.evaluate(std::vector<EvaluationTask>(held_out.begin(), held_out.end()));
      });
      CHECK(run.train(Reinforcement{trainer, tasks, kLot}).steps_done == steps);
    }
    CHECK(guessing::weights(model) == guessing::weights(by_hand));
    const auto records = read_metrics(RunFiles{folder.path()}.metrics());
    REQUIRE(records.size() == 5);
    CHECK(records[4].number("learning_rate") == 0.1);
    CHECK(records[4].number("rollouts") >= 12.0);
    CHECK(records[1].number("eval_reward_mean").has_value());
  }
}

TEST_CASE("reinforcement does not go on with other tasks", "[train]") {
  TemporaryFolder folder;
  const auto error = [&](TaskStream tasks, StepTasks lot, std::size_t steps) {
    BigramModel model = guessing::model();
    auto trainer = make_trainer(model);
    TrainingRun run(options(folder, steps), ProgressScreen::silent());
    return error_of([&] { static_cast<void>(run.train(Reinforcement{trainer, tasks, lot})); });
  };
  REQUIRE(error(stream(), kLot, 2) == "no error");
  CHECK_THAT(error(stream(11), kLot, 4), ContainsSubstring("not those of the saved run"));
  CHECK_THAT(error(stream(10, 8), kLot, 4), ContainsSubstring("in another order"));
  CHECK_THAT(error(stream(), {.tasks = 4}, 4) + error(stream(), {.tasks = 5}, 4),
             ContainsSubstring("another number of tasks in each step"));
  CHECK_THAT(error(stream(), {.tasks = 0}, 4), ContainsSubstring("tasks is 0"));
  CHECK_THAT(error(stream(), {.tasks = std::size_t{1} << 60U}, 4),
             ContainsSubstring("tasks is 1152921504606846976 (StepTasks)"));
  CHECK_THAT(error(stream(), {.tasks = 4, .spare = ~std::size_t{0}}, 4),
             ContainsSubstring("spare is 18446744073709551615 (StepTasks)"));
  CHECK(error(stream(), kLot, 4) == "no error");
}

TEST_CASE("imitation in a run takes the steps of a loop by hand, with breaks too", "[train]") {
  const WarmupCosine schedule{.warmup_steps = 2, .total_steps = 6};
  BigramModel by_hand(toy::vocab);
  SupervisedTrainer loop{by_hand, {.optimizer = {.learning_rate = 0.2}}};
  for (std::size_t step = 0; step < 6; ++step) loop.step(demonstrations(step), schedule.at(step));

  TemporaryFolder folder;
  BigramModel model(toy::vocab);
  for (const std::size_t steps : {4U, 6U}) {
    model = BigramModel(toy::vocab);
    SupervisedTrainer trainer{model, {.optimizer = {.learning_rate = 0.2}}};
    RunOptions scheduled = options(folder, steps);
    scheduled.schedule = schedule;
    TrainingRun run(scheduled, ProgressScreen::silent());
    CHECK(run.train(Imitation{trainer, demonstrations}).steps_done == steps);
  }
  CHECK(guessing::weights(model) == guessing::weights(by_hand));
  const auto records = read_metrics(RunFiles{folder.path()}.metrics());
  REQUIRE(records.size() == 6);
  CHECK(records[0].number("learning_rate") == 0.1);
  CHECK(records[5].number("trained_tokens") == 4.0);
}

TEST_CASE("imitation does not go on with other demonstrations", "[train]") {
  TemporaryFolder folder;
  const auto error = [&](auto shown, std::size_t steps) {
    BigramModel model(toy::vocab);
    SupervisedTrainer trainer{model, {.optimizer = {.learning_rate = 0.2}}};
    TrainingRun run(options(folder, steps), ProgressScreen::silent());
    return error_of([&] { static_cast<void>(run.train(Imitation{trainer, shown})); });
  };
  const auto later = [](std::size_t step) { return demonstrations(step + 1); };
  const auto one_more_at_2 = [](std::size_t step) {
    std::vector<Segment> segments = demonstrations(step);
    if (step == 2) segments.push_back(segments[0]);
    return segments;
  };
  REQUIRE(error(demonstrations, 3) == "no error");
  CHECK_THAT(error(later, 5), ContainsSubstring("demonstrations are not those of the saved run"));
  CHECK_THAT(error(one_more_at_2, 5), ContainsSubstring("not those of the saved run"));
  CHECK(error(demonstrations, 4) == "no error");
  CHECK(error(demonstrations, 5) == "no error");  // what was shown before the break counts, too
}

TEST_CASE("a resumed run dumps the bytes of one that was not stopped, weight versions included",
          "[train]") {
  struct Dumped {
    std::string bytes;
    WeightVersion version;
  };
  const auto run_in = [](const std::vector<std::size_t>& ends) {  // one process each
    TemporaryFolder folder;
    Dumped dumped{};
    for (const std::size_t steps : ends) {
      BigramModel model = guessing::model();
      model.weights_changed();  // as a process that loads a model from a file
      auto trainer = make_trainer(model, LongestContext{});
      TaskStream tasks = stream();
      TrainingRun run(options(folder, steps), ProgressScreen::silent());
      run.dump_rollouts_every(1, trainer, [](Token) { return std::string(); });
      CHECK(run.train(Reinforcement{trainer, tasks, kLot}).steps_done == steps);
      dumped.version = model.weight_version();
    }
    for (std::size_t step = 0; step < ends.back(); ++step)
      dumped.bytes += read_file(RunFiles{folder.path()}.rollouts(step));
    return dumped;
  };
  const Dumped unbroken = run_in({4});
  REQUIRE(unbroken.version == 9);  // 1 and two minibatches a step
  for (const auto& ends : {std::vector<std::size_t>{1, 4}, {1, 2, 3, 4}}) {
    const Dumped resumed = run_in(ends);
    CHECK(resumed.version == unbroken.version);
    CHECK((resumed.bytes == unbroken.bytes));
  }
}

TEST_CASE("the rollouts of a step are dumped as they were and can be read again", "[train]") {
  TemporaryFolder folder;
  BigramModel model = guessing::model();
  auto trainer = make_trainer(model);
  TaskStream tasks = stream();
  TrainingRun run(options(folder, 3), ProgressScreen::silent());
  run.dump_rollouts_every(2, trainer, [](Token token) { return std::to_string(token); });
  std::vector<std::string> played;
  run.every(2, [&](RunRecord&) {
    played.clear();
    for (const Rollout& rollout : trainer.rollouts())
      played.push_back(rollout_line(rollout, [](Token token) { return std::to_string(token); }));
  });
  REQUIRE(run.train(Reinforcement{trainer, tasks, kLot}).steps_done == 3);
  CHECK(!std::filesystem::exists(run.files().rollouts(0)));
  CHECK(run.files().rollouts(1) == folder.path() / "rollouts" / "train" / "step-000001.jsonl");
  CHECK(read_rollouts(run.files().rollouts(1)).size() >= 12);
  std::vector<std::string> read;
  for (const Rollout& rollout : read_rollouts(run.files().rollouts(2)))
    read.push_back(rollout_line(rollout, [](Token token) { return std::to_string(token); }));
  CHECK(read == played);
}
