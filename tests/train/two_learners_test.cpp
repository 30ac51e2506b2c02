/// A pair that is trained by two learners, each of one agent, on the groups of one worker.
#include <cstddef>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "dualagent/model/played_elsewhere.hpp"
#include "dualagent/store/memory_store.hpp"
#include "support/async_setting.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;
using async_setting::kTasks;
using async_setting::options;
using async_setting::Pair;

namespace {

/// A Summarizer elsewhere: it has the weights that its learner has published when it is told so.
struct FollowingEngine : BigramModel {
  FollowingEngine(const BigramModel& first, WeightFolder from)
      : BigramModel(first), weights(std::move(from)) {}
  void follow(WeightVersion version) {
    const StoredCheckpoint newest = *weights.newest();
    load_parameters(*this, newest, "model1.weights");
    weights_changed(newest.number("model1.weight_version"));
    told.push_back(version);
  }
  WeightFolder weights;
  std::vector<WeightVersion> told;
};

/// A learner of one agent; `View` says of which.
template <class Roles, class View>
struct OneAgent {
  using TrainerOf = Trainer<Roles, async_setting::Episodes, two_tokens::LastToken,
                            decltype(Recipe{Dapo{}, View{}})>;
  TrainerOf trainer;
  AsyncReinforcement<TrainerOf, MemoryStore> work;

  OneAgent(Roles roles, Pair& pair, MemoryStore& store, const WeightFolder& folder,
           AsyncOptions async, const TrainerOptions& trainer_options = options())
      : trainer{roles, pair.protocol(), two_tokens::LastToken{}, Recipe{Dapo{}, View{}},
                trainer_options},
        work{trainer, Exchange{store, folder}, std::move(async)} {}
};

/// Two learners, an engine that samples for the Summarizer, and a worker for both.
struct TwoJobs {
  explicit TwoJobs(WeightVersion max_staleness = 0, std::size_t summarizer_tasks = kTasks,
                   std::size_t steps = 0)
      : answerer{{pair.answerer, Frozen{elsewhere}},
                 pair,
                 store,
                 answerer_weights,
                 async("answerer", kTasks, steps, max_staleness)},
        summarizer{{Frozen{elsewhere}, pair.summarizer},
                   pair,
                   store,
                   summarizer_weights,
                   async("summarizer", summarizer_tasks, steps, max_staleness)},
        worker{SeparateWeights{sampler.answerer, Frozen{engine}},
               sampler.protocol(),
               two_tokens::LastToken{},
               tasks,
               SharedExchange{store, {answerer_weights, summarizer_weights}},
               {.trainer = options()}} {}

  AsyncOptions async(const std::string& run, std::size_t step_tasks, std::size_t steps,
                     WeightVersion max_staleness) {
    return {.run = run,
            .tasks = step_tasks,
            .steps = steps,
            .max_staleness = max_staleness,
            .pause = [this] { return pause(); }};
  }

  /// A learner that waits for groups gives up once nothing more can be played.
  bool pause() { return worker.advance(); }

  /// Publishes the first weights, and trains on nothing.
  template <class Learner>
  void publish_first(Learner& learner) {
    CHECK_THROWS_WITH(learner.work.step({0}), ContainsSubstring("gave up waiting"));
  }

  TemporaryFolder folder;
  MemoryStore store;
  WeightFolder answerer_weights{folder / "answerer"}, summarizer_weights{folder / "summarizer"};
  Pair pair, sampler;
  PlayedElsewhere elsewhere;
  FollowingEngine engine{async_setting::model(), summarizer_weights};
  TaskStream tasks = async_setting::tasks();
  OneAgent<SeparateWeights<BigramModel, Frozen<PlayedElsewhere>>, AnswererOnly> answerer;
  OneAgent<SeparateWeights<Frozen<PlayedElsewhere>, BigramModel>, SummarizerOnly> summarizer;
  RolloutWorker<SeparateWeights<BigramModel, Frozen<FollowingEngine>>, async_setting::Episodes,
                two_tokens::LastToken, MemoryStore>
      worker;
};

}  // namespace

TEST_CASE("two learners of an agent each make the bits of one that trains both", "[train][async]") {
  TwoJobs jobs;
  jobs.publish_first(jobs.summarizer);
  for (std::size_t step = 0; step < 4; ++step) {
    const RunRecord of_answerer = jobs.answerer.work.step({step});
    const RunRecord of_summarizer = jobs.summarizer.work.step({step});
    for (const RunRecord* const record : {&of_answerer, &of_summarizer}) {
      CHECK(record->number("max_abs_log_ratio").value() == 0.0);
      CHECK(record->number("staleness_max").value() == 0.0);
      CHECK(record->number("stale_groups").value() == 0.0);
      CHECK(record->number("forks").value() > 2);
      CHECK(record->number("updates").value() == 2);
    }
  }
  const bool equal = jobs.pair.weights() == async_setting::synchronous(4, options());
  CHECK(equal);
  CHECK(jobs.worker.metrics().groups == 4 * kTasks);
  CHECK(jobs.engine.told == std::vector<WeightVersion>{0, 2, 4, 6});
  jobs.answerer.work.saved();
  jobs.summarizer.work.saved();
  CHECK(jobs.store.stats().acknowledged_groups == 2 * 4 * kTasks);
}

TEST_CASE("a worker waits for the weights of every learner, and ends with the last one",
          "[train][async]") {
  TwoJobs jobs(0, kTasks, 2);
  jobs.publish_first(jobs.answerer);
  CHECK(jobs.worker.metrics().groups == 0);  // the Summarizer's are not there
  jobs.summarizer.work.step({0});
  CHECK(jobs.worker.metrics().groups == kTasks);
  CHECK(!jobs.worker.advance());  // the Answerer has not trained on them
  jobs.answerer.work.step({0});
  jobs.answerer.work.step({1});
  jobs.worker.advance();
  CHECK(!jobs.worker.ended());
  jobs.summarizer.work.step({1});
  jobs.worker.advance();
  CHECK(jobs.worker.ended());
  CHECK(jobs.worker.metrics().groups == 2 * kTasks);
}

TEST_CASE("a worker that begins again goes on behind the learner that is ahead", "[train][async]") {
  TwoJobs jobs;
  jobs.publish_first(jobs.summarizer);
  jobs.answerer.work.step({0});  // the Summarizer's groups of this step wait for it
  RolloutWorker again{SeparateWeights{jobs.sampler.answerer, Frozen{jobs.engine}},
                      jobs.sampler.protocol(),
                      two_tokens::LastToken{},
                      jobs.tasks,
                      SharedExchange{jobs.store, {jobs.answerer_weights, jobs.summarizer_weights}},
                      {.trainer = options()}};
  CHECK(!again.advance());
  jobs.summarizer.work.step({0});
  async_setting::play_all(again);
  CHECK(again.metrics().groups == kTasks);
  jobs.answerer.work.step({1});
  jobs.summarizer.work.step({1});
  const bool equal = jobs.pair.weights() == async_setting::synchronous(2, options());
  CHECK(equal);
}

TEST_CASE("samplers run ahead of two learners as far as both allow", "[train][async]") {
  TwoJobs jobs(4);  // two steps
  jobs.publish_first(jobs.summarizer);
  jobs.answerer.work.step({0});
  async_setting::play_all(jobs.worker);
  CHECK(jobs.worker.metrics().groups == 3 * kTasks);  // the Summarizer is at its first step
  CHECK(jobs.summarizer.work.step({0}).number("staleness_max").value() == 0);
  async_setting::play_all(jobs.worker);
  CHECK(jobs.worker.metrics().groups == 4 * kTasks);
  CHECK(jobs.summarizer.work.step({1}).number("staleness_max").value() == 2);
}

TEST_CASE("learners of one pair that do not fit together are refused", "[train][async]") {
  TwoJobs jobs(0, kTasks + 1);
  jobs.publish_first(jobs.answerer);
  CHECK_THROWS_WITH(jobs.summarizer.work.step({0}), ContainsSubstring("a step has 4 tasks here"));
  CHECK_THROWS_WITH((RolloutWorker{jobs.pair.roles(), jobs.pair.protocol(), two_tokens::LastToken{},
                                   jobs.tasks, SharedExchange{jobs.store, {}}, WorkerOptions{}}),
                    ContainsSubstring("there is no folder of weights"));
}
