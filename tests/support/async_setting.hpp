#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

#include "dualagent/train/async_reinforcement.hpp"
#include "dualagent/train/rollout_worker.hpp"
#include "dualagent/train/trainer.hpp"
#include "support/bigram_model.hpp"
#include "support/two_token_turns.hpp"

/// Two bigram models, an Answerer and a Summarizer, whose histories are forked and whose tools fail
/// now and then; trained in one process or by a learner and workers that share a store.
namespace async_setting {

using namespace dualagent;

inline constexpr std::size_t kTasks = 3;

/// Five tasks in an order of their own.
inline TaskStream tasks() { return {two_tokens::tasks(5), RandomStream::from_seed(3)}; }

inline TrainerOptions options(std::size_t minibatches = 2) {
  return {.group_size = 4,
          .minibatches = minibatches,
          .summary_forks = {.continuations = 3},
          .update = {.optimizer = {.learning_rate = 0.05F}},
          .seed = 5};
}

/// Calls its tool in two turns of three.
inline BigramModel model() {
  BigramModel model(toy::vocab);
  for (std::size_t i = 0; i < model.parameters().size(); ++i)
    model.parameters()[i] = i % toy::vocab % 3 == 0 ? 1.4 : 0.0;
  return model;
}

struct Pair {
  BigramModel answerer = model();
  BigramModel summarizer = model();
  std::atomic<int> calls{0};

  auto roles() { return SeparateWeights{answerer, summarizer}; }
  auto protocol() { return two_tokens::protocol(calls); }
  std::vector<double> weights() const {
    std::vector<double> all(answerer.parameters().begin(), answerer.parameters().end());
    all.insert(all.end(), summarizer.parameters().begin(), summarizer.parameters().end());
    return all;
  }
};

using Roles = decltype(std::declval<Pair&>().roles());
using Episodes = decltype(std::declval<Pair&>().protocol());
using TrainerOfPair = Trainer<Roles, Episodes, two_tokens::LastToken, decltype(Recipe{Dapo{}})>;

/// What Reinforcement makes of a pair in one process.
inline std::vector<double> synchronous(std::size_t steps, const TrainerOptions& options) {
  Pair pair;
  TrainerOfPair trainer{pair.roles(), pair.protocol(), two_tokens::LastToken{}, Recipe{Dapo{}},
                        options};
  TaskStream stream = tasks();
  Reinforcement work{trainer, stream, {.tasks = kTasks}};
  for (std::size_t step = 0; step < steps; ++step) work.step({step});
  return pair.weights();
}

/// A learner with a pair of its own.
template <class Store>
struct LearnerSide {
  Pair pair;
  TrainerOfPair trainer;
  AsyncReinforcement<TrainerOfPair, Store> work;

  LearnerSide(Store& store, const WeightFolder& folder, AsyncOptions async,
              const TrainerOptions& options)
      : trainer{pair.roles(), pair.protocol(), two_tokens::LastToken{}, Recipe{Dapo{}}, options},
        work{trainer, Exchange{store, folder}, std::move(async)} {}
};

/// A worker with a pair of its own.
template <class Store>
struct WorkerSide {
  Pair pair;
  TaskStream stream = tasks();
  RolloutWorker<Roles, Episodes, two_tokens::LastToken, Store> worker;

  WorkerSide(Store& store, const WeightFolder& folder, WorkerOptions options)
      : worker{pair.roles(), pair.protocol(),         two_tokens::LastToken{},
               stream,       Exchange{store, folder}, std::move(options)} {}
};

/// All that may be played now.
template <class Worker>
bool play_all(Worker& worker) {
  while (worker.advance()) {
  }
  return true;
}

/// A pause for a learner that has nothing to wait for.
inline bool never_waits() { return false; }

inline AsyncOptions async_options(std::function<bool()> pause, WeightVersion max_staleness = 0) {
  return {.run = "run", .tasks = kTasks, .max_staleness = max_staleness, .pause = std::move(pause)};
}

}  // namespace async_setting
