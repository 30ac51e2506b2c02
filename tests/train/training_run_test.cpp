#include "dualagent/train/training_run.hpp"

#include <cmath>
#include <csignal>
#include <functional>
#include <limits>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;

namespace {

constexpr std::size_t kSteps = 7;

/// Stands for a process that is killed.
struct Killed : std::runtime_error {
  Killed() : std::runtime_error("killed") {}
};

/// A work whose state depends on every step before; `score(step)` is its metric.
struct Counting {
  double state = 1;
  std::function<double(std::size_t)> score = [](std::size_t step) { return double(step); };
  std::function<void(std::size_t)> in_step = [](std::size_t) {};
  std::function<void(std::uint64_t)> in_save = [](std::uint64_t) {};
  std::vector<RunStep> steps = {};

  RunRecord step(RunStep step) {
    in_step(step.number);
    steps.push_back(step);
    state = state * 1.25 + static_cast<double>(step.number) * step.learning_rate_scale;
    RunRecord record{.note = "state " + std::to_string(state)};
    record.add("state", state);
    record.add("score", score(step.number));
    return record;
  }
  void save(Checkpoint& checkpoint) const {
    in_save(checkpoint.step);
    checkpoint.add("state", std::span<const double>(&state, 1));
  }
  void load(const StoredCheckpoint& checkpoint) {
    checkpoint.copy_to("state", std::span<double>(&state, 1));
  }
};

/// Takes what the progress bar shows.
struct Screen {
  std::string text;
  ProgressScreen screen() {
    return {.write = [this](std::string_view more) { text += more; },
            .columns = [] { return std::size_t{100}; },
            .seconds = [] { return 0.0; }};
  }
};

RunOptions options(const TemporaryFolder& folder) {
  return {.folder = folder.path(), .steps = kSteps, .earlier_run = EarlierRun::resume};
}

RunOutcome train(const RunOptions& options, Counting& work) {
  Screen screen;
  return TrainingRun(options, screen.screen()).train(work);
}

/// The records of a metrics file without time and memory.
std::vector<std::map<std::string, double>> records_of(const std::filesystem::path& path) {
  std::vector<std::map<std::string, double>> records;
  for (const MetricsRecord& record : read_metrics(path)) {
    records.emplace_back();
    records.back()["step"] = static_cast<double>(record.step);
    for (const auto& [name, value] : record.numbers)
      if (name != "elapsed_seconds" && name != "peak_memory_bytes") records.back()[name] = value;
  }
  return records;
}

std::set<std::string> files_in(const std::filesystem::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.is_regular_file()) names.insert(entry.path().filename().string());
  return names;
}

/// By a loop that knows nothing of runs.
double state_after(std::size_t steps) {
  double state = 1;
  for (std::size_t step = 0; step < steps; ++step) state = state * 1.25 + double(step);
  return state;
}

}  // namespace

TEST_CASE("a run does every step once and leaves records and checkpoints", "[train]") {
  TemporaryFolder folder;
  Counting work;
  Screen screen;
  TrainingRun run(options(folder), screen.screen());
  const RunOutcome outcome = run.train(work);
  CHECK(!outcome.interrupted());
  CHECK(outcome.steps_done == kSteps);
  CHECK(work.state == state_after(kSteps));
  const std::vector<MetricsRecord> records = read_metrics(run.files().metrics());
  REQUIRE(records.size() == kSteps);
  for (std::size_t step = 0; step < kSteps; ++step) {
    CHECK(records[step].step == step);
    CHECK(records[step].number("state") == state_after(step + 1));
    CHECK(records[step].number("elapsed_seconds").value() >= 0);
    CHECK(records[step].number("peak_memory_bytes").value() > 0);
  }
  CHECK_THAT(screen.text, ContainsSubstring("train: 7/7  state "));

  Counting again;  // all is done: nothing is played, the state is there
  CHECK(train(options(folder), again).steps_done == kSteps);
  CHECK(again.steps.empty());
  CHECK(again.state == work.state);

  RunOptions longer = options(folder);
  longer.steps = kSteps + 2;
  CHECK(train(longer, again).steps_done == kSteps + 2);
  CHECK(again.state == state_after(kSteps + 2));
}

TEST_CASE("a run that is killed anywhere and resumed ends like one that was not", "[train]") {
  TemporaryFolder whole_folder;
  Counting whole;
  RunOptions whole_options = options(whole_folder);
  whole_options.best = {"score"};
  whole.score = [](std::size_t step) { return step == 3 ? 100.0 : double(step); };
  REQUIRE(train(whole_options, whole).steps_done == kSteps);
  const RunFiles whole_files{whole_folder.path()};

  enum Moment { in_step, in_checkpoint, in_best };
  for (const std::size_t every : {1U, 3U})
    for (const Moment moment : {in_step, in_checkpoint, in_best})
      for (std::size_t victim = 0; victim < kSteps; ++victim) {
        INFO("checkpoint every " << every << ", moment " << moment << ", step " << victim);
        TemporaryFolder folder;
        RunOptions resumed = whole_options;
        resumed.folder = folder.path();
        resumed.checkpoint_every = every;
        Counting killed;
        killed.score = whole.score;
        std::size_t saves = 0;
        killed.in_step = [&](std::size_t step) {
          saves = 0;
          if (moment == in_step && step == victim) throw Killed();
        };
        killed.in_save = [&](std::uint64_t step) {
          if (step == victim + 1 && ++saves == (moment == in_checkpoint ? 1u : 2u) &&
              moment != in_step)
            throw Killed();
        };
        try {
          static_cast<void>(train(resumed, killed));
        } catch (const Killed&) {
        }
        Counting work;
        work.score = whole.score;
        CHECK(train(resumed, work).steps_done == kSteps);
        CHECK(work.state == whole.state);
        const RunFiles files{folder.path()};
        CHECK(records_of(files.metrics()) == records_of(whole_files.metrics()));
        CHECK(files_in(files.best()) == std::set<std::string>{checkpoint_file_name(4)});
        CHECK(StoredCheckpoint::open(files.best() / checkpoint_file_name(4))
                  .values<double>("state") == std::vector<double>{state_after(4)});
      }
}

TEST_CASE("a signal ends the run behind the step in progress, with everything saved", "[train]") {
  for (const int signal : {SIGINT, SIGTERM}) {
    TemporaryFolder folder;
    RunOptions rare = options(folder);
    rare.checkpoint_every = 100;
    Counting work;
    work.in_step = [&](std::size_t step) {
      if (step == 2) std::raise(signal);
    };
    Screen screen;
    TrainingRun run(rare, screen.screen());
    const RunOutcome outcome = run.train(work);
    CHECK(outcome.interrupted());
    CHECK(outcome.steps_done == 3);
    CHECK(files_in(run.files().checkpoints()) == std::set<std::string>{checkpoint_file_name(3)});
    CHECK_THAT(screen.text, ContainsSubstring("interrupted after 3 of 7 steps; saved in"));

    Counting resumed;
    CHECK(!train(rare, resumed).interrupted());
    CHECK(resumed.steps.front().number == 3);
    CHECK(resumed.state == state_after(kSteps));
  }
}

TEST_CASE("a run that begins after the signal does nothing", "[train]") {
  TemporaryFolder folder;
  const StopSignals program;
  std::raise(SIGINT);
  Counting work;
  CHECK(train(options(folder), work).interrupted());
  CHECK(work.steps.empty());
}

TEST_CASE("an evaluation comes after every n steps and after the last", "[train]") {
  TemporaryFolder folder;
  Screen screen;
  TrainingRun run(options(folder), screen.screen());
  std::size_t played = 0;
  run.evaluate_every(3,
                     [&] {
                       Evaluation evaluation{.samples = 2, .reward_mean = 0.25 + double(played++)};
                       for (const double reward : {1.0, 0.0, 0.3, 0.0})
                         evaluation.rollouts.emplace_back().reward = reward;
                       return evaluation;
                     },
                     {.name = "held_out", .pass_at = {1, 2}, .success_above = 0.2});
  Counting work;
  REQUIRE(run.train(work).steps_done == kSteps);
  CHECK(played == 3);
  const auto records = records_of(run.files().metrics());
  std::vector<std::size_t> evaluated;
  for (std::size_t step = 0; step < kSteps; ++step)
    if (records[step].contains("held_out_reward_mean")) evaluated.push_back(step + 1);
  CHECK(evaluated == std::vector<std::size_t>{3, 6, 7});
  CHECK(records[5].at("held_out_reward_mean") == 1.25);
  CHECK(records[5].at("held_out_pass_at_1") == 0.5);
  CHECK(records[5].at("held_out_pass_at_2") == 1.0);
  CHECK(records[5].at("held_out_aborted") == 0.0);
  CHECK_THAT(screen.text,
             ContainsSubstring("held_out after step 6: reward_mean 1.250, pass_at_1 0.500"));
}

TEST_CASE("an evaluation whose rollouts were all aborted has no mean reward", "[train]") {
  TemporaryFolder folder;
  Screen screen;
  TrainingRun run(options(folder), screen.screen());
  run.evaluate_every(kSteps, [] {
    Evaluation evaluation{.aborted = 2};
    evaluation.rollouts.resize(2);
    return evaluation;
  });
  Counting work;
  CHECK(!run.train(work).interrupted());
  const auto records = records_of(run.files().metrics());
  CHECK(records.back().at("eval_aborted") == 2.0);
  CHECK(!records.back().contains("eval_reward_mean"));
}

TEST_CASE("the best checkpoint is the first one with the best value", "[train]") {
  const std::vector<double> scores{2, 5, std::nan(""), 5, 1, 4, 1};
  const auto best_step = [&](BestBy best) {
    TemporaryFolder folder;
    RunOptions with_best = options(folder);
    with_best.best = best;
    Counting work;
    work.score = [&](std::size_t step) { return scores.at(step); };
    Screen screen;
    TrainingRun run(with_best, screen.screen());
    REQUIRE(run.train(work).steps_done == kSteps);
    Counting loaded;
    const std::size_t steps = run.load_best(loaded);
    CHECK(loaded.state == state_after(steps));
    return steps;
  };
  CHECK(best_step({"score"}) == 2);
  CHECK(best_step({.metric = "score", .better = BestBy::Better::smaller}) == 5);
}

TEST_CASE("the best of one metric is not compared with another's, nor lost", "[train]") {
  TemporaryFolder folder;
  RunOptions by_score = options(folder);
  by_score.steps = 3;
  by_score.best = {"score"};
  Counting work;
  train(by_score, work);
  RunOptions by_state = by_score;
  by_state.steps = 4;
  by_state.best = {.metric = "state", .better = BestBy::Better::smaller};
  const std::string error = error_of([&] { train(by_state, work); });
  CHECK_THAT(error, ContainsSubstring("by the larger score, not by the smaller state"));
  const RunFiles files{folder.path()};
  CHECK(files_in(files.best()) == std::set<std::string>{checkpoint_file_name(3)});
  for (const std::string& name : files_in(files.checkpoints()))
    std::filesystem::remove(files.checkpoints() / name);
  CHECK_THAT(error_of([&] { train(by_score, work); }), ContainsSubstring("none to go on from"));
}

TEST_CASE("what is not finite is never the best", "[train]") {
  TemporaryFolder folder;
  RunOptions with_best = options(folder);
  with_best.best = {"score"};
  Counting work;
  work.score = [](std::size_t step) {
    return step == 0 ? std::numeric_limits<double>::infinity() : double(step == 2);
  };
  Screen screen;
  TrainingRun run(with_best, screen.screen());
  CHECK(!run.train(work).interrupted());
  CHECK(run.load_best(work) == 3);
}

TEST_CASE("a best metric that no step has is warned of", "[train]") {
  TemporaryFolder folder;
  RunOptions misspelt = options(folder);
  misspelt.best = {"scoer"};
  Screen screen;
  TrainingRun run(misspelt, screen.screen());
  Counting work;
  REQUIRE(run.train(work).steps_done == kSteps);
  CHECK_THAT(screen.text, ContainsSubstring("warning: no step had the number \"scoer\""));
  CHECK_THAT(error_of([&] { run.load_best(work); }), ContainsSubstring("no best checkpoint"));
}

TEST_CASE("the newest checkpoints are kept, and the last step's in any case", "[train]") {
  TemporaryFolder folder;
  RunOptions sparse = options(folder);
  sparse.checkpoint_every = 2;
  sparse.retention = {.keep_last = 3};
  Counting work;
  REQUIRE(train(sparse, work).steps_done == kSteps);
  CHECK(files_in(RunFiles{folder.path()}.checkpoints()) ==
        std::set<std::string>{checkpoint_file_name(4), checkpoint_file_name(6),
                              checkpoint_file_name(7)});
}

TEST_CASE("callbacks come in their order, around the record and the checkpoint", "[train]") {
  TemporaryFolder folder;
  RunOptions two = options(folder);
  two.steps = 2;
  Screen screen;
  TrainingRun run(two, screen.screen());
  std::string events;
  const auto records = [&] { return std::to_string(read_metrics(run.files().metrics()).size()); };
  run.every(1, [&](RunRecord& record) {
    events += " first:" + std::to_string(record.step) + "/" + records();
    record.add("added", 7);
  });
  run.every(2, [&](RunRecord& record) {
    events += " second:" + shortest_text(record.number("added").value());
    record.note = "changed";
  });
  run.after_checkpoint([&](const std::filesystem::path& path) {
    events += " saved:" + std::to_string(StoredCheckpoint::open(path).step()) + "/" + records();
  });
  Counting work;
  work.in_step = [&](std::size_t step) { events += " step:" + std::to_string(step); };
  REQUIRE(run.train(work).steps_done == 2);
  CHECK(events == " step:0 first:0/0 saved:1/1 step:1 first:1/1 second:7 saved:2/2");
  CHECK(records_of(run.files().metrics())[1].at("added") == 7);
}

TEST_CASE("the schedule's factor reaches the steps, also after a break", "[train]") {
  TemporaryFolder folder;
  RunOptions scheduled = options(folder);
  scheduled.schedule = Warmup{4};
  scheduled.steps = 2;
  Counting work, resumed;
  static_cast<void>(train(scheduled, work));
  scheduled.steps = 5;
  static_cast<void>(train(scheduled, resumed));
  CHECK(work.steps[0].learning_rate_scale == 0.25);
  CHECK(resumed.steps[0].learning_rate_scale == 0.75);
  CHECK(resumed.steps[2].learning_rate_scale == 1.0);
}

TEST_CASE("another run's folder is refused, and so is another run of the same name", "[train]") {
  TemporaryFolder folder;
  RunOptions first = options(folder);
  first.fingerprint = {{"seed", "1"}};
  Counting work;
  static_cast<void>(train(first, work));
  const auto refusal = [&](const RunOptions& options) {
    Counting other;
    return error_of([&] { static_cast<void>(train(options, other)); });
  };
  RunOptions anew = first;
  anew.earlier_run = EarlierRun::refuse;
  CHECK_THAT(refusal(anew), ContainsSubstring("holds an earlier run"));
  RunOptions other_seed = first;
  other_seed.fingerprint = {{"seed", "2"}};
  CHECK_THAT(refusal(other_seed), ContainsSubstring("seed was 1 and is 2"));
  RunOptions beside = anew;  // under another name
  beside.name = "second";
  CHECK(refusal(beside) == "no error");
  std::filesystem::remove(RunFiles{folder.path()}.metrics());
  CHECK_THAT(refusal(first), ContainsSubstring("metrics of the run that is resumed are missing"));
}

TEST_CASE("options that no run can have are refused", "[train]") {
  const auto refusal = [](RunOptions options) {
    return error_of([&] { TrainingRun run(std::move(options)); });
  };
  const RunOptions good{.folder = "never-made", .steps = 1};
  CHECK(refusal(good) == "no error");
  CHECK_THAT(refusal({.folder = {}, .steps = 1}), ContainsSubstring("has no folder"));
  CHECK_THAT(refusal({.folder = "x"}), ContainsSubstring("steps is 0"));
  RunOptions bad = good;
  bad.checkpoint_every = 0;
  CHECK_THAT(refusal(bad), ContainsSubstring("checkpoint_every is 0"));
  bad = good;
  bad.retention.keep_last = 0;
  CHECK_THAT(refusal(bad), ContainsSubstring("keep_last is 0"));
  bad = good;
  bad.name = "a/b";
  CHECK_THAT(refusal(bad), ContainsSubstring("the run's name is \"a/b\""));
  TrainingRun run(good);
  CHECK_THAT(error_of([&] { run.every(0, [](RunRecord&) {}); }), ContainsSubstring("steps is 0"));
}
