// Steps of reinforcement in one process: rollouts, then updates, beside a worker and a learner in a
// thread each, the worker up to two steps ahead. A tool that waits answers each call. In turns, in
// one run; seconds a step, medians of the rounds, as JSON lines.
//   async_step_bench [--rounds 5] [--steps 8] [--tasks 8] [--tool-ms 30] [--threads 2]
// The model has the quickstart's shape and random weights; --threads are those of the synchronous
// run, of the other each side has one.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <dualagent/dualagent.hpp>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "bench.hpp"
#include "odd_share.hpp"

namespace da = dualagent;

namespace {

constexpr std::size_t kTurnTokens = 12;

/// Turns of twelve tokens, of which three of four call the tool; a summary has as many.
struct Dialect {
  static da::StopRule twelve() {
    return {{}, kTurnTokens + 1, [](std::span<const da::Token> said) {
              return said.size() == kTurnTokens;
            }};
  }
  std::vector<da::Token> prompt(const da::Task& task) const {
    return std::vector<da::Token>(20, static_cast<da::Token>(task.prompt.at(0) % 64));
  }
  da::StopRule turn_stop() const { return twelve(); }
  da::StopRule summary_stop() const { return twelve(); }
  da::Turn parse_turn(std::span<const da::Token> t) const {
    if (t[0] % 4 == 0) return da::Answer{std::to_string(t[1])};
    return std::vector<da::ToolCall>{{"wait", "{}"}};
  }
  std::vector<da::Token> observation(std::span<const std::string>) const { return {70, 71, 72}; }
  std::optional<std::vector<da::Token>> correction(const da::MalformedTurn&) const { return {}; }
  std::vector<da::Token> summary_request() const { return {73}; }
  std::optional<std::string> check_summary(std::span<const da::Token>) const { return {}; }
  std::vector<da::Token> present_summary(std::span<const da::Token> t) const {
    return {t.begin(), t.end()};
  }
};

struct Wait {
  static constexpr std::string_view name = "wait";
  static constexpr da::Execution execution = da::Execution::worker;
  struct Arguments {};
  friend void from_json(const nlohmann::json&, Arguments&) {}
  std::chrono::milliseconds time;
  std::string operator()(const Arguments&, const da::CallInfo&) const {
    std::this_thread::sleep_for(time);
    return "done";
  }
};

struct Setting {
  std::size_t steps, tasks, threads;
  std::chrono::milliseconds tool;

  da::TrainerOptions trainer() const {
    return {.group_size = 8,
            .minibatches = 1,
            .scheduler = {.max_live_episodes = 64, .tool_threads = 64},
            .seed = 1};
  }
  da::Transformer<float> model(std::size_t threads_of_it) const {
    return da::Transformer<float>(
        bench::shape_of("quickstart").model,
        {.pool = std::make_shared<da::ThreadPool>(threads_of_it), .seed = 1});
  }
  auto protocol() const {
    return da::Protocol{Dialect{}, da::ToolBox{Wait{tool}}, da::TurnCount{.turns = 3},
                        da::ReplaceBySummary{},
                        da::RolloutLimits{.max_context_tokens = 136, .max_turns = 8}};
  }
  da::TaskStream stream() const {
    std::vector<da::Task> made;
    for (std::size_t i = 0; i < 64; ++i)
      made.push_back({.id = std::to_string(i), .prompt = std::to_string(i % 10), .answer = "1"});
    return {std::move(made), da::RandomStream::from_seed(1)};
  }
};

struct Measured {
  double seconds = 0;  // a step
  double waits = 0;    // of the learner, a step
};

/// Steps after the first two, which warm up and fill what is ahead.
template <class Work>
Measured measure(const Setting& setting, Work& work) {
  double start = 0;
  Measured measured;
  for (std::size_t step = 0; step < setting.steps + 2; ++step) {
    if (step == 2) start = bench::wall_seconds();
    const da::RunRecord record = work.step({step});
    if constexpr (requires { work.saved(); }) work.saved();
    if (step >= 2) measured.waits += record.number("wait_seconds").value_or(0);
  }
  const auto steps = static_cast<double>(setting.steps);
  return {(bench::wall_seconds() - start) / steps, measured.waits / steps};
}

Measured synchronous(const Setting& setting) {
  auto model = setting.model(setting.threads);
  da::Trainer trainer(da::SharedWeights{model}, setting.protocol(), bench::OddShare{},
                      da::Recipe{da::Dapo{}}, setting.trainer());
  da::TaskStream stream = setting.stream();
  da::Reinforcement work{trainer, stream, {.tasks = setting.tasks}};
  return measure(setting, work);
}

Measured asynchronous(const Setting& setting, const std::filesystem::path& folder) {
  std::filesystem::remove_all(folder);
  auto learned = setting.model(1), sampled = setting.model(1);
  da::MemoryStore store;
  const da::Exchange exchange{store, da::WeightFolder{folder}};
  da::TaskStream stream = setting.stream();
  da::RolloutWorker worker{
      da::SharedWeights{sampled},    setting.protocol(), bench::OddShare{}, stream, exchange,
      {.trainer = setting.trainer()}};
  std::atomic<bool> stop{false};
  const auto pause = [] { std::this_thread::sleep_for(std::chrono::milliseconds(1)); };
  std::thread thread([&] {
    worker.run([&](bool idle) {
      if (idle) pause();
      return !stop;
    });
  });
  da::Trainer trainer(da::SharedWeights{learned}, setting.protocol(), bench::OddShare{},
                      da::Recipe{da::Dapo{}}, setting.trainer());
  da::AsyncReinforcement work{
      trainer, exchange, {.run = "bench", .tasks = setting.tasks, .max_staleness = 2, .pause = [&] {
                            return pause(), true;
                          }}};
  const Measured measured = measure(setting, work);
  stop = true;
  thread.join();
  std::filesystem::remove_all(folder);
  return measured;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Options options(argc, argv);
  const Setting setting{.steps = options.number("--steps", 8),
                        .tasks = options.number("--tasks", 8),
                        .threads = options.number("--threads", 2),
                        .tool = std::chrono::milliseconds(options.number("--tool-ms", 30))};
  const std::filesystem::path folder = std::filesystem::temp_directory_path() / "async_step_bench";
  std::vector<double> before, after, waits, ratios;
  for (std::size_t round = 0; round < options.number("--rounds", 5); ++round) {
    const Measured one = synchronous(setting);
    const Measured two = asynchronous(setting, folder);
    before.push_back(one.seconds);
    after.push_back(two.seconds);
    waits.push_back(two.waits);
    ratios.push_back(one.seconds / two.seconds);
  }
  std::printf(
      "{\"benchmark\": \"async_step\", \"tool_ms\": %lld, \"threads\": %zu, "
      "\"synchronous_seconds\": "
      "%.3f, \"asynchronous_seconds\": %.3f, \"learner_waits_seconds\": %.3f, \"ratio\": %.2f, "
      "\"ratio_lowest\": %.2f, \"ratio_highest\": %.2f}\n",
      static_cast<long long>(setting.tool.count()), setting.threads, median(before), median(after),
      median(waits), median(ratios), *std::min_element(ratios.begin(), ratios.end()),
      *std::max_element(ratios.begin(), ratios.end()));
}
