#include "dualagent/train/async_reinforcement.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "dualagent/store/memory_store.hpp"
#include "dualagent/train/training_run.hpp"
#include "support/async_setting.hpp"
#include "support/catch.hpp"
#include "support/counting_run.hpp"
#include "support/error_of.hpp"
#include "support/temporary_folder.hpp"
#include "support/warnings.hpp"

using namespace dualagent;
using async_setting::async_options;
using async_setting::kTasks;
using async_setting::LearnerSide;
using async_setting::options;
using async_setting::WorkerSide;

namespace {

/// Commits the groups of a step in the reverse of the order in which they come.
class ReversingStore : public MemoryStore {
 public:
  CommitResult commit(std::span<const TrainingRollout> rollouts) {
    held_.emplace_back(rollouts.begin(), rollouts.end());
    for (; held_.size() >= kTasks || (emptying_ && !held_.empty()); held_.pop_back()) {
      emptying_ = held_.size() > 1;
      MemoryStore::commit(held_.back());
    }
    return {.stored = rollouts.size()};
  }

 private:
  std::vector<std::vector<TrainingRollout>> held_;
  bool emptying_ = false;
};

/// A learner's process that is killed.
struct Killed : std::runtime_error {
  Killed() : std::runtime_error("killed") {}
};

/// A learner's way to the store, on which it dies: at call number `dies_at`, before it has happened
/// or after it.
struct DyingStore {
  MemoryStore& store;
  std::size_t dies_at = 0;  // from 1; 0: never
  bool afterwards = false;
  std::size_t calls = 0;

  template <class Call>
  auto call(const Call& call) {
    const bool dies = ++calls == dies_at;
    if (dies && !afterwards) throw Killed();
    auto result = call();
    if (dies) throw Killed();
    return result;
  }
  CommitResult commit(std::span<const TrainingRollout> rollouts) { return store.commit(rollouts); }
  ClaimResult claim(const ClaimRequest& request) {
    return call([&] { return store.claim(request); });
  }
  std::vector<LeaseStatus> acknowledge(std::span<const Lease> leases) {
    return call([&] { return store.acknowledge(leases); });
  }
  std::vector<LeaseStatus> extend(std::span<const Lease> leases, double seconds) {
    return store.extend(leases, seconds);
  }
  /// Of a process that has died nothing is given back.
  std::vector<LeaseStatus> give_back(std::span<const Lease>) { throw Killed(); }
  std::size_t give_back_all(const std::string& reader) {
    return call([&] { return store.give_back_all(reader); });
  }
  void forget(const std::string& run) { store.forget(run); }
  StoreStats stats() { return store.stats(); }
};

template <class Worker>
bool play_all(Worker& worker) {
  while (worker.advance()) {
  }
  return true;
}

}  // namespace

TEST_CASE("without staleness a learner and a worker make the bits of the synchronous run",
          "[train][async]") {
  const TemporaryFolder folder;
  const WeightFolder weights(folder / "weights");
  MemoryStore store;
  WorkerSide<MemoryStore> side(store, weights, {.trainer = options()});
  LearnerSide<MemoryStore> learner(
      store, weights, async_options([&] { return side.worker.advance(), true; }), options());
  for (std::size_t step = 0; step < 4; ++step) {
    const RunRecord record = learner.work.step({step});
    learner.work.saved();
    CHECK(record.number("summaries").value() > 0.2);
    CHECK(record.number("forks").value() > 2);
    CHECK(record.number("updates").value() == 4);
    CHECK(record.number("max_abs_log_ratio").value() == 0.0);
    CHECK(record.number("staleness_max").value() == 0.0);
    CHECK(record.number("stale_groups").value() == 0.0);
  }
  const bool equal = learner.pair.weights() == async_setting::synchronous(4, options());
  CHECK(equal);
  CHECK(store.stats().acknowledged_groups == 4 * kTasks);
}

TEST_CASE("neither the order of commits nor the number of workers changes a bit",
          "[train][async]") {
  const TemporaryFolder folder;
  const WeightFolder weights(folder / "weights");
  ReversingStore store;
  WorkerSide<ReversingStore> even(store, weights,
                                  {.writer = "even", .part = {0, 2}, .trainer = options()});
  WorkerSide<ReversingStore> odd(store, weights,
                                 {.writer = "odd", .part = {1, 2}, .trainer = options()});
  LearnerSide<ReversingStore> learner(
      store, weights, async_options([&] { return play_all(odd.worker) && play_all(even.worker); }),
      options());
  for (std::size_t step = 0; step < 3; ++step) learner.work.step({step});
  const bool equal = learner.pair.weights() == async_setting::synchronous(3, options());
  CHECK(equal);
  CHECK(even.worker.metrics().groups == 6);
  CHECK(odd.worker.metrics().groups == 3);
}

TEST_CASE("a worker in a thread of its own ends with the learner's run", "[train][async]") {
  const TemporaryFolder folder;
  const WeightFolder weights(folder / "weights");
  MemoryStore store;
  WorkerSide<MemoryStore> side(store, weights, {.trainer = options()});
  std::atomic<bool> failed{false};
  std::thread thread([&] {
    try {
      side.worker.run([](bool) { return std::this_thread::yield(), true; });
    } catch (...) {
      failed = true;
    }
  });
  AsyncOptions async = async_options([&] { return std::this_thread::yield(), !failed; });
  async.steps = 3;
  LearnerSide<MemoryStore> learner(store, weights, async, options());
  for (std::size_t step = 0; step < 3; ++step) learner.work.step({step});
  thread.join();
  const bool equal = learner.pair.weights() == async_setting::synchronous(3, options());
  CHECK(equal);
  CHECK(side.worker.metrics().groups == 3 * kTasks);
  CHECK(side.worker.metrics().refits == 3);
}

TEST_CASE("samplers run ahead by as many versions as may be trained on", "[train][async]") {
  const TemporaryFolder folder;
  const WeightFolder weights(folder / "weights");
  MemoryStore store;
  WorkerSide<MemoryStore> side(store, weights, {.trainer = options()});
  LearnerSide<MemoryStore> learner(
      store, weights, async_options([&] { return play_all(side.worker); }, 4), options());
  CHECK(learner.work.steps_ahead() == 2);  // a step makes two versions
  for (std::size_t step = 0; step < 4; ++step) {
    const RunRecord record = learner.work.step({step});
    const double stale = std::array{0, 2, 4, 4}[step];  // all is played as early as it may be
    CHECK(record.number("staleness").value() == stale);
    CHECK(record.number("staleness_max").value() == stale);
    CHECK(record.number("stale_groups").value() == 0.0);
    if (step == 0) CHECK(record.number("max_abs_log_ratio").value() == 0.0);
    if (step > 0) CHECK(record.number("max_abs_log_ratio").value() > 1e-3);
    play_all(side.worker);
  }
}

TEST_CASE("what is staler than a learner trains on is left out, counted and acknowledged",
          "[train][async]") {
  const TemporaryFolder folder;
  const WeightFolder weights(folder / "weights");
  MemoryStore store;
  WorkerSide<MemoryStore> side(store, weights, {.trainer = options()});
  LearnerSide<MemoryStore> first(
      store, weights, async_options([&] { return play_all(side.worker); }, 4), options());
  first.work.step({0});  // of steps 1 and 2 all is there, played with version 0
  Checkpoint checkpoint{.step = 1};
  first.work.save(checkpoint);
  write_checkpoint(folder / "checkpoints", checkpoint);

  LearnerSide<MemoryStore> stricter(
      store, weights, async_options([&] { return play_all(side.worker); }, 2), options());
  stricter.work.load(*latest_checkpoint(folder / "checkpoints", {}).checkpoint);
  CHECK(stricter.work.step({1}).number("staleness_max").value() == 2);
  const std::vector<double> before = stricter.pair.weights();
  const Warnings warnings;
  const RunRecord record = stricter.work.step({2});  // at version 4
  CHECK(record.number("stale_groups").value() == 3);
  CHECK(record.number("rollouts").value() == 0);
  CHECK(record.number("updates").value() == 0);
  CHECK(before == stricter.pair.weights());
  stricter.work.saved();
  CHECK(store.stats().acknowledged_groups == 9);
  CHECK(stricter.work.step({3}).number("stale_groups").value() == 0);
}

TEST_CASE("a max_staleness that lets nothing run ahead is refused", "[train][async]") {
  MemoryStore store;
  CHECK_THROWS_WITH(
      (LearnerSide<MemoryStore>(store, WeightFolder("unused"), async_options({}, 1), options())),
      ContainsSubstring("max_staleness is 1, but one step makes 2 weight versions"));
}

TEST_CASE("a learner that dies anywhere and starts again trains on each group once",
          "[train][async]") {
  constexpr std::size_t kSteps = 2;
  const std::vector<double> whole = async_setting::synchronous(kSteps, options());
  std::size_t deaths = 0;
  // Calls of the learner: 1 gives back; then in each step an empty claim, a full one (3, 6) and the
  // acknowledgement (4, 7). 8 to 10 are between update and record, record and checkpoint,
  // checkpoint and acknowledgement, of the first step or the last one.
  for (const std::size_t death : {3U, 4U, 6U, 7U, 8U, 9U, 10U})
    for (const bool afterwards : {false, true}) {
      const TemporaryFolder folder;
      const WeightFolder weights(folder / "weights");
      MemoryStore store;
      WorkerSide<MemoryStore> side(store, weights, {.trainer = options()});
      const auto live = [&](std::size_t dies_at, bool dies_in_run) {
        DyingStore way{store, dies_at, afterwards};
        LearnerSide<DyingStore> learner(
            way, weights, async_options([&] { return play_all(side.worker); }), options());
        counting::Screen screen;
        TrainingRun run(
            {.folder = folder.path(), .steps = kSteps, .earlier_run = EarlierRun::resume},
            screen.screen());
        const auto die_at = [&](std::size_t here, std::size_t step) {
          if (dies_in_run && here == death && step + 1 == (afterwards ? kSteps : 1)) throw Killed();
        };
        run.every(1, [&](const RunRecord& record) { die_at(8, record.step); });
        run.after_record([&](const RunRecord& record) { die_at(9, record.step); });
        run.after_checkpoint([&](const auto&) { die_at(10, learner.trainer.steps_done() - 1); });
        try {
          static_cast<void>(run.train(learner.work));
        } catch (const Killed&) {
          ++deaths;
          return std::vector<double>{};
        }
        return learner.pair.weights();
      };
      std::vector<double> trained = live(death <= 7 ? death : 0, true);
      if (trained.empty()) trained = live(0, false);
      INFO("death " << death << (afterwards ? " afterwards" : " before"));
      const bool equal = trained == whole;
      CHECK(equal);
      const StoreStats stats = store.stats();
      CHECK(stats.acknowledged_groups == kSteps * kTasks);
      CHECK(stats.claimed_groups == 0);
    }
  CHECK(deaths == 14);
}

TEST_CASE("a checkpoint acknowledges all steps since the one before it", "[train][async]") {
  const TemporaryFolder folder;
  const WeightFolder weights(folder / "weights");
  MemoryStore store;
  WorkerSide<MemoryStore> side(store, weights, {.trainer = options()});
  const auto live = [&](bool dies) {
    LearnerSide<MemoryStore> learner(
        store, weights, async_options([&] { return play_all(side.worker); }), options());
    counting::Screen screen;
    TrainingRun run({.folder = folder.path(),
                     .steps = 3,
                     .earlier_run = EarlierRun::resume,
                     .checkpoint_every = 3},
                    screen.screen());
    run.every(1, [&](const RunRecord& record) {
      CHECK(store.stats().acknowledged_groups == 0);
      if (dies && record.step == 2) throw Killed();
    });
    static_cast<void>(run.train(learner.work));
    return learner.pair.weights() == async_setting::synchronous(3, options());
  };
  CHECK_THROWS_AS(live(true), Killed);
  CHECK(store.stats().claimed_groups == 3 * kTasks);
  CHECK(live(false));  // from the beginning, with the same groups
  CHECK(store.stats().acknowledged_groups == 3 * kTasks);
  CHECK(side.worker.metrics().groups == 3 * kTasks);
}

namespace {

/// Truncated, and halved for each version that the token is stale: reads what a token carries.
struct ByToken {
  double weight(const CorrectionTerms& terms) const {
    return std::clamp(std::exp(terms.log_ratio), 0.5, 1.5) / std::exp2(terms.staleness);
  }
};

/// No rollout has the mean reward of its group unless all have.
struct RootOfAnswer {
  std::optional<double> score(const Task&, const Rollout& rollout) const {
    return rollout.answer ? std::sqrt(std::stod(*rollout.answer)) : 0.0;
  }
};

double log_prob(const std::vector<double>& table, Token after, Token token) {
  const double* const row = &table[static_cast<std::size_t>(after) * toy::vocab];
  double sum = 0;
  for (std::size_t v = 0; v < toy::vocab; ++v) sum += std::exp(row[v]);
  return row[static_cast<std::size_t>(token)] - std::log(sum);
}

}  // namespace

TEST_CASE("rollouts go on across an update, and each token is corrected by its own version",
          "[train][async]") {
  // The expected gradients are computed anew from the rollouts and the weights of each version: sum
  // over tokens of weight * advantage / tokens * (one-hot - probabilities), of either model.
  const TemporaryFolder folder;
  const WeightFolder weights(folder / "weights");
  MemoryStore store;
  TrainerOptions plain{.group_size = 4,
                       .minibatches = 1,
                       .update = {.optimizer = {.learning_rate = 0.2F}, .max_gradient_norm = 1e9},
                       .scheduler = {.max_live_episodes = 6},
                       .seed = 5};
  async_setting::Pair pair, played;
  TaskStream stream = async_setting::tasks();
  RolloutWorker worker{played.roles(), played.protocol(),        RootOfAnswer{},
                       stream,         Exchange{store, weights}, {.trainer = plain}};
  Trainer trainer{pair.roles(), pair.protocol(), RootOfAnswer{},
                  Recipe{Objective<GroupNormalized, ClipLoss, GlobalTokenMean, ByToken>{}}, plain};
  AsyncReinforcement work{trainer, Exchange{store, weights},
                          async_options([&] { return worker.advance(), true; }, 2)};
  std::map<WeightVersion, std::array<std::vector<double>, 2>> weights_of;  // by version and model
  std::size_t mixed = 0;
  for (std::size_t step = 0; step < 4; ++step) {
    const auto table = [](BigramModel& model) {
      return std::vector<double>(model.parameters().begin(), model.parameters().end());
    };
    const WeightVersion now = pair.answerer.weight_version();
    REQUIRE(now == pair.summarizer.weight_version());
    weights_of[now] = {table(pair.answerer), table(pair.summarizer)};
    const RunRecord record = work.step({step});

    const std::span<const Rollout> rollouts = trainer.rollouts();
    std::array<std::vector<double>, 2> gradient;
    gradient.fill(std::vector<double>(toy::vocab * toy::vocab, 0.0));
    std::array<double, 2> tokens{};
    double stale = 0, stalest = 0, with_gradient = 0;
    for (std::size_t i = 0; i < rollouts.size(); ++i) {
      if (rollouts[i].status == RolloutStatus::aborted) continue;
      double count = 0, sum = 0, squares = 0;
      for (const Rollout& other : rollouts.subspan(i / 4 * 4, 4)) {
        if (other.status == RolloutStatus::aborted) continue;
        count += 1, sum += other.reward, squares += other.reward * other.reward;
      }
      const double variance = (squares - sum * sum / count) / (count - 1);
      const double advantage = count < 2 || variance < 1e-12
                                   ? 0
                                   : (rollouts[i].reward - sum / count) / std::sqrt(variance);
      WeightVersion oldest = now, newest = 0;
      for (const Segment& segment : rollouts[i].segments)
        for (const Span& span : segment.context.spans())
          for (std::size_t t = span.begin; span.is_sampled() && t < span.end(); ++t) {
            const auto model = static_cast<std::size_t>(span.agent);
            const Token after = segment.context.tokens()[t - 1];
            const Token token = segment.context.tokens()[t];
            const WeightVersion version = segment.context.weight_versions()[t];
            oldest = std::min(oldest, version);
            newest = std::max(newest, version);
            REQUIRE(version + 2 >= now);
            const double drawn = segment.context.log_probs()[t];
            CHECK(drawn == Approx(log_prob(weights_of.at(version)[model], after, token)));
            tokens[model] += 1;
            if (advantage == 0) continue;
            with_gradient += 1;
            const auto age = static_cast<double>(now - version);
            stale += age;
            stalest = std::max(stalest, age);
            const std::vector<double>& present = weights_of.at(now)[model];
            const double ratio = std::exp(log_prob(present, after, token) - drawn);
            const double weight = std::clamp(ratio, 0.5, 1.5) * std::pow(0.5, age);
            for (std::size_t v = 0; v < toy::vocab; ++v)
              gradient[model][static_cast<std::size_t>(after) * toy::vocab + v] +=
                  weight * advantage *
                  ((static_cast<Token>(v) == token ? 1.0 : 0.0) -
                   std::exp(log_prob(present, after, static_cast<Token>(v))));
          }
      mixed += oldest < newest ? 1 : 0;
    }
    double norms = 0;
    for (std::size_t model = 0; model < 2; ++model) {
      double square = 0;
      for (const double g : gradient[model]) square += g * g;
      norms += std::sqrt(square) / tokens[model];
    }
    CHECK(record.number("gradient_norm").value() == Approx(norms / 2).epsilon(1e-4));
    CHECK(record.number("staleness").value() == Approx(stale / with_gradient));
    CHECK(record.number("staleness_max").value() == stalest);
  }
  CHECK(mixed >= 3);  // rollouts with tokens of two versions at least
}

TEST_CASE("a learner that gives up waiting says for what, and its groups are there again",
          "[train][async]") {
  const TemporaryFolder folder;
  const WeightFolder weights(folder / "weights");
  MemoryStore store;
  WorkerSide<MemoryStore> half(store, weights, {.part = {0, 2}, .trainer = options()});
  LearnerSide<MemoryStore> learner(store, weights,
                                   async_options([&] { return half.worker.advance(); }), options());
  CHECK_THROWS_WITH(learner.work.step({0}),
                    ContainsSubstring("gave up waiting: step 0 has 2 of its 3 groups"));
  CHECK(store.stats().claimed_groups == 0);
  CHECK(store.stats().ready_groups == 2);

  WorkerSide<MemoryStore> same(store, weights,
                               {.writer = "same", .part = {0, 2}, .trainer = options()});
  LearnerSide<MemoryStore> again(store, weights,
                                 async_options([&] { return same.worker.advance(); }), options());
  CHECK_THROWS_WITH(again.work.step({0}), ContainsSubstring("of step 0 was played twice"));
}

TEST_CASE("a learner refuses groups of other options, and weights of another run",
          "[train][async]") {
  const TemporaryFolder folder;
  const WeightFolder weights(folder / "weights");
  MemoryStore store;
  WorkerSide<MemoryStore> side(store, weights, {.trainer = options()});
  LearnerSide<MemoryStore> learner(store, weights,
                                   async_options([&] { return play_all(side.worker); }), options());
  learner.work.step({0});
  CHECK_THROWS_WITH(learner.work.step({5}), ContainsSubstring("the trainer at 1"));

  AsyncOptions other = async_options({});
  other.run = "other";
  LearnerSide<MemoryStore> stranger(store, weights, other, options());
  CHECK_THROWS_WITH(stranger.work.step({0}), ContainsSubstring("run was run and is other"));
  TrainerOptions without = options();
  without.summary_forks = {};
  LearnerSide<MemoryStore> unforked(store, WeightFolder(folder / "elsewhere"), async_options({}),
                                    without);
  learner.work.saved();
  store.forget("run");
  WorkerSide<MemoryStore> again(store, weights, {.trainer = options()});
  play_all(again.worker);  // step 1, with forks
  Checkpoint checkpoint{.step = 1};
  unforked.trainer.step(two_tokens::tasks(3));
  CHECK_THROWS_WITH(unforked.work.step({1}),
                    ContainsSubstring("was continued 3 times, the trainer compares 1") &&
                        ContainsSubstring("No weight has changed"));
}
