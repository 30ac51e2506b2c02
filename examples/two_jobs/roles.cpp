/// The four processes.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <string>
#include <thread>

#include "dualagent/engine/sglang_engine.hpp"
#include "dualagent/model/played_elsewhere.hpp"
#include "dualagent/service/followed_weights.hpp"
#include "dualagent/service/http_store.hpp"
#include "dualagent/service/sampler_service.hpp"
#include "dualagent/service/store_service.hpp"
#include "dualagent/store/sqlite_store.hpp"
#include "dualagent/train/async_reinforcement.hpp"
#include "dualagent/train/rollout_worker.hpp"
#include "jobs.hpp"

namespace two_jobs {
namespace {

using std::chrono::milliseconds;

std::string token() { return da::read_api_key(kToken, "the environment"); }

da::HttpStoreOptions store_at(const Address& address) {
  return {.url = address.url(), .api_key_variable = kToken};
}

/// Calls `say()` every two seconds, and `work()`, which says whether it did anything, all the time,
/// until the process is told to end.
template <class Work, class Say>
void serve(const Work& work, const Say& say) {
  auto next = std::chrono::steady_clock::now();
  while (!da::StopSignals::requested()) {
    if (!work()) std::this_thread::sleep_for(milliseconds(2));
    if (std::chrono::steady_clock::now() < next) continue;
    next += std::chrono::seconds(2);
    std::printf("%s\n", say().c_str());
    std::fflush(stdout);
  }
}

/// The learner's side of one agent: trains on the groups of its run in the store, and publishes.
template <class Trainer>
da::RunOutcome learn(
    const Options& options, const std::string& agent, const quickstart::Data& data,
    Trainer& trainer, std::function<bool()> pause = [] { return !da::StopSignals::requested(); }) {
  const Address address(options, "store");
  da::HttpStore store(store_at(address));
  da::AsyncReinforcement work{trainer,
                              da::Exchange{store, weights(options, agent)},
                              {.run = agent,
                               .tasks = options.tasks_per_step,
                               .steps = options.steps,
                               .max_staleness = options.max_staleness,
                               .pause = [&] {
                                 std::this_thread::sleep_for(milliseconds(2));
                                 return pause();
                               }}};
  da::TrainingRun run(run_options(options, agent, data));
  return run.train(work);
}

/// Plays the rollouts of both learners until `ended`: the Answerer here, the Summarizer by the
/// service.
void play(const Options& options, const quickstart::Data& data, const std::atomic<bool>& ended) {
  constexpr double kYear = 365 * 24 * 3600;  // the other job may be queued; `Address` sees it move
  Model answerer = load_warm_start(options);
  const Address service(options, "service"), address(options, "store");
  da::SglangEngine summarizer({.url = service.url(),
                               .api_key_variable = kToken,
                               .vocab_size = answerer.vocab_size(),
                               .published_elsewhere = true,
                               .restart_timeout_seconds = kYear,
                               .restart_poll_seconds = 0.01,
                               .backoff_seconds = 0.01});
  da::TaskStream tasks(data.training, stream_for(options, quickstart::Use::order));
  da::HttpStore store(store_at(address));
  da::RolloutWorker worker{
      da::SeparateWeights{answerer, da::Frozen{summarizer}},
      protocol(data),
      da::ExactMatch{},
      tasks,
      da::SharedExchange{store, {weights(options, "answerer"), weights(options, "summarizer")}},
      {.writer = "answerer", .trainer = trainer_options(options)}};
  worker.run([&](bool idle) {
    if (idle) std::this_thread::sleep_for(milliseconds(2));
    return !ended;
  });
}

int finish(const Options& options, const std::string& agent, const da::RunOutcome& outcome,
           Model& model) {
  if (outcome.interrupted()) return 130;
  da::save_model(options.out / "models" / "two_jobs" / agent, model);
  da::write_file_atomically(done_file(options, agent), std::to_string(options.steps));
  return 0;
}

}  // namespace

int serve_store(const Options& options) {
  da::SqliteStore store(options.out / "rollouts.sqlite");
  da::StoreService service(
      store,
      {.host = listens_at(options), .port = port_before(options, "store"), .token = token()});
  service.start();
  announce(options, "store", service.port());
  serve([] { return false; },
        [&] {
          const da::StoreStats stats = store.stats();
          return "groups: " + std::to_string(stats.ready_groups) + " ready, " +
                 std::to_string(stats.claimed_groups) + " claimed, " +
                 std::to_string(stats.acknowledged_groups) + " trained on";
        });
  service.stop();
  return 0;
}

int serve_summarizer(const Options& options) {
  Model model = load_warm_start(options);
  da::SamplerService service(model, {.http = {.host = listens_at(options),
                                              .port = port_before(options, "service"),
                                              .token = token()},
                                     .loop = {.max_running = 64},
                                     .model_path = warm_start(options).string()});
  da::FollowedWeights newest(service, weights(options, "summarizer"), 1);
  newest.advance();
  service.start();
  announce(options, "service", service.port());
  serve([&] { return newest.advance(); },
        [&] {
          return "weights " + service.loop().label() + ", " +
                 std::to_string(service.loop().running()) + " summaries being written";
        });
  service.stop();
  return 0;
}

int train_answerer(const Options& options) {
  if (is_done(options, "answerer")) return 0;  // the store may have ended with the other job
  const quickstart::Data data = load_data(options);
  std::atomic<bool> ended = false, failed = false;
  std::exception_ptr failure;
  std::thread player([&] {
    try {
      play(options, data, ended);
    } catch (...) {
      failure = std::current_exception();
      failed = true;
    }
  });
  try {
    Model model = load_warm_start(options);
    da::PlayedElsewhere summarizer;
    da::Trainer trainer{da::SeparateWeights{model, da::Frozen{summarizer}},
                        protocol(data),
                        da::ExactMatch{},
                        quickstart::main_recipe(da::AnswererOnly{}),
                        da::LocalCollective{},
                        trainer_options(options)};
    const da::RunOutcome outcome = learn(options, "answerer", data, trainer,
                                         [&] { return !failed && !da::StopSignals::requested(); });
    const int status = finish(options, "answerer", outcome, model);
    if (status != 0) std::_Exit(status);  // the player may wait for a service that has ended
  } catch (const quickstart::Interrupted&) {
    std::_Exit(130);
  } catch (const std::exception& error) {
    if (!failed) std::_Exit(status_after(error));
  }
  ended = true;
  player.join();
  if (failed) std::rethrow_exception(failure);
  return 0;
}

namespace {
int train_summarizer_alone(const Options& options) {
  const quickstart::Data data = load_data(options);
  Model model = load_warm_start(options);
  da::PlayedElsewhere answerer;
  da::Trainer trainer{da::SeparateWeights{da::Frozen{answerer}, model},
                      protocol(data),
                      da::ExactMatch{},
                      quickstart::main_recipe(da::SummarizerOnly{}),
                      da::LocalCollective{},
                      trainer_options(options)};
  return finish(options, "summarizer", learn(options, "summarizer", data, trainer), model);
}
}  // namespace

int train_summarizer(const Options& options) {
  if (const int status = train_summarizer_alone(options); status != 0) return status;
  std::printf("is trained; the store serves until the Answerer is\n");
  std::fflush(stdout);
  while (!is_done(options, "answerer")) wait_a_little(20);
  return 0;
}

}  // namespace two_jobs
