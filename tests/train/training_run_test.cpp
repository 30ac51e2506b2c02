#include "dualagent/train/training_run.hpp"

#include <csignal>
#include <limits>
#include <map>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/counting_run.hpp"
#include "support/error_of.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;
using namespace counting;

namespace {

/// Stands for a process that is killed.
struct Killed : std::runtime_error {
  Killed() : std::runtime_error("killed") {}
};

/// The second of two ranks that agree about everything.
struct SecondOfTwo {
  std::size_t rank() const { return 1; }
  std::size_t size() const { return 2; }
  template <class Number>
  void all_reduce_sum(std::span<Number>) {}
};

}  // namespace

TEST_CASE("what another rank than the first warns of is said with its number", "[train]") {
  struct Warns : Counting {
    SecondOfTwo second;
    SecondOfTwo& collective() { return second; }
  };
  TemporaryFolder folder;
  Warns work;
  work.in_step = [](std::size_t step) {
    if (step == 2) warn("the server is slow");
  };
  Screen screen;
  CHECK(TrainingRun(options(folder), screen.screen()).train(work).steps_done == kSteps);
  CHECK(screen.text == "rank 1: warning: the server is slow\n");
}

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

TEST_CASE("a callback after every 0 steps is refused", "[train]") {
  TemporaryFolder folder;
  TrainingRun run({.folder = folder.path(), .steps = 1});
  CHECK_THAT(error_of([&] { run.every(0, [](RunRecord&) {}); }), ContainsSubstring("steps is 0"));
}

TEST_CASE("a run refuses callbacks that are empty, and figures that no evaluation has", "[train]") {
  TemporaryFolder folder;
  TrainingRun run({.folder = folder.path(), .steps = 1});
  CHECK_THAT(error_of([&] { run.every(1, {}); }), ContainsSubstring("callback is empty"));
  CHECK_THAT(error_of([&] { run.evaluate_every(1, {}); }), ContainsSubstring("evaluate is empty"));
  CHECK_THAT(error_of([&] { run.after_record({}); }), ContainsSubstring("callback is empty"));
  CHECK_THAT(error_of([&] { run.after_checkpoint({}); }), ContainsSubstring("callback is empty"));
  const auto evaluate = [] { return Evaluation{}; };
  CHECK_THAT(error_of([&] { run.evaluate_every(1, evaluate, {.pass_at = {0}}); }),
             ContainsSubstring("pass_at is 0"));
  CHECK_THAT(error_of([&] {
               run.evaluate_every(1, evaluate,
                                  {.success_above = std::numeric_limits<double>::quiet_NaN()});
             }),
             ContainsSubstring("success_above is nan"));
}

TEST_CASE("a schedule that cannot be meant is refused where it is made", "[train]") {
  CHECK_THAT(error_of([] {
               const RunOptions options{
                   .folder = "never-made", .steps = 1, .schedule = WarmupCosine{.total_steps = 0}};
             }),
             ContainsSubstring("total_steps is 0"));
}
