// Asynchronous training (train/rollout_worker.hpp, train/async_reinforcement.hpp) by processes that
// share an SqliteStore and a folder of weights, and are killed.
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "dualagent/store/sqlite_store.hpp"
#include "dualagent/train/training_run.hpp"
#include "support/async_setting.hpp"
#include "support/catch.hpp"
#include "support/counting_run.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;
using async_setting::kTasks;
using async_setting::options;

namespace {

constexpr std::size_t kSteps = 4;

/// A process that runs `body`; killed at the end of the scope.
class Process {
 public:
  explicit Process(const std::function<void()>& body) : child_(::fork()) {
    if (child_ < 0) throw std::runtime_error("fork failed");
    if (child_ > 0) return;
    int status = 1;
    try {
      body();
      status = 0;
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
    }
    ::_exit(status);
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process() { kill(); }

  /// kill -9.
  void kill() {
    if (child_ == 0) return;
    ::kill(child_, SIGKILL);
    end();
  }
  /// Waits for its end; whether it has done its work.
  bool end() {
    int status = 0;
    ::waitpid(std::exchange(child_, 0), &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }

 private:
  pid_t child_;
};

bool wait_a_little() {
  std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return true;
}

/// Waits until the file counts this many groups as committed and as acknowledged.
void wait_for(const std::filesystem::path& file, std::size_t rollouts, std::size_t acknowledged) {
  SqliteStore store(file);
  for (std::size_t waits = 0; waits < 30'000; ++waits) {
    const StoreStats stats = store.stats();
    if (stats.stored_rollouts >= rollouts && stats.acknowledged_groups >= acknowledged) return;
    wait_a_little();
  }
  throw std::runtime_error("nothing happens in the store");
}

/// The processes of a run, in a folder that they share.
struct Run {
  TemporaryFolder folder;
  std::filesystem::path file = folder / "rollouts.sqlite";
  WeightFolder weights{folder / "weights"};

  void play(WorkerOptions worker) const {
    SqliteStore store(file);
    worker.trainer = options();
    async_setting::WorkerSide<SqliteStore> side(store, weights, std::move(worker));
    side.worker.run([](bool idle) { return !idle || wait_a_little(); });
  }
  void learn(WeightVersion max_staleness) const {
    SqliteStore store(file);
    AsyncOptions async = async_setting::async_options(wait_a_little, max_staleness);
    async.steps = kSteps;
    async_setting::LearnerSide<SqliteStore> learner(store, weights, async, options());
    counting::Screen screen;
    TrainingRun run({.folder = folder.path(), .steps = kSteps, .earlier_run = EarlierRun::resume},
                    screen.screen());
    static_cast<void>(run.train(learner.work));
  }
  /// What the last checkpoint has of both models.
  std::vector<double> trained() const {
    const auto last = latest_checkpoint(RunFiles{folder.path()}.checkpoints(), {}).checkpoint;
    REQUIRE(last);
    CHECK(last->step() == kSteps);
    std::vector<double> all = last->values<double>("model0.weights");
    const std::vector<double> more = last->values<double>("model1.weights");
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
};

}  // namespace

TEST_CASE("a learner and two workers, killed and started again, make the bits of one process",
          "[store][async]") {
  const std::vector<double> whole = async_setting::synchronous(kSteps, options());
  const Run run;
  const auto even = [&] { run.play({.writer = "even", .part = {0, 2}}); };
  const auto odd = [&] { run.play({.writer = "odd", .part = {1, 2}}); };
  const auto learn = [&] { run.learn(0); };
  Process first_learner(learn);
  Process first_even(even), first_odd(odd);
  wait_for(run.file, 1, 0);
  first_even.kill();
  Process second_even(even);
  wait_for(run.file, 1, kTasks);
  first_learner.kill();
  Process second_learner(learn);
  wait_for(run.file, 1, 2 * kTasks);
  first_odd.kill();
  second_learner.kill();
  Process third_learner(learn), second_odd(odd);
  CHECK(third_learner.end());
  CHECK(second_even.end());
  CHECK(second_odd.end());
  const bool equal = run.trained() == whole;
  CHECK(equal);
  const StoreStats stats = SqliteStore(run.file).stats();
  CHECK(stats.acknowledged_groups == kSteps * kTasks);
  CHECK(stats.ready_groups + stats.claimed_groups + stats.incomplete_groups == 0);
}

TEST_CASE("with steps sampled ahead every group is trained on once, whoever is killed",
          "[store][async]") {
  const Run run;
  const auto play = [&] { run.play({}); };
  const auto learn = [&] { run.learn(4); };
  Process first_learner(learn), first_worker(play);
  wait_for(run.file, 1, kTasks);
  first_worker.kill();
  first_learner.kill();
  Process second_learner(learn), second_worker(play);
  CHECK(second_learner.end());
  CHECK(second_worker.end());
  run.trained();
  const StoreStats stats = SqliteStore(run.file).stats();
  CHECK(stats.acknowledged_groups == kSteps * kTasks);
  CHECK(stats.ready_groups + stats.claimed_groups + stats.incomplete_groups == 0);
  const std::vector<MetricsRecord> records = read_metrics(RunFiles{run.folder.path()}.metrics());
  REQUIRE(records.size() == kSteps);
  for (const MetricsRecord& record : records) {
    CHECK(record.number("staleness_max").value() <= 4);
    CHECK(record.number("stale_groups").value() == 0);
  }
}
