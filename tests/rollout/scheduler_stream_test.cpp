// The stream of rollouts: start, next_finished, failures, what it costs to wait.

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "dualagent/model/scripted.hpp"
#include "dualagent/rollout/scheduler.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/remote_model.hpp"
#include "support/toy_protocol.hpp"

using namespace dualagent;

namespace {

using Tokens = std::vector<Token>;
const RandomStream kRandom = RandomStream::from_seed(1);

/// Calls with the last digit it sees until that digit is 5, then answers with it.
Tokens counts_to_five(std::span<const Token> context, AgentRole, const RandomStream&) {
  const Token last = context.back();
  return {last == toy::digit(5) ? toy::answer : toy::call, last, toy::end};
}

/// Draws its calls at random, so that a wrong random stream would show.
Tokens draws(std::span<const Token> context, AgentRole agent, const RandomStream& random) {
  const Token drawn = toy::digit(static_cast<int>(random.below(0, 7)));
  if (agent == AgentRole::summarizer) return {toy::summary, drawn, toy::end};
  const bool answers = context.size() > 12 && drawn < toy::digit(3);
  return {answers ? toy::answer : toy::call, drawn, toy::end};
}

Task task(std::string prompt) { return {.id = "t" + prompt, .prompt = prompt, .answer = "5"}; }

template <class Tool = toy::Successor<>, class Trigger = Never>
auto protocol(Tool tool = {}, Trigger trigger = {}) {
  return Protocol{toy::Dialect{}, ToolBox{tool}, trigger, ReplaceBySummary{},
                  RolloutLimits{.max_turns = 20}};
}

/// All of a rollout that training reads.
std::string text_of(const Rollout& rollout) {
  std::string text =
      rollout.task_id + "/" + std::to_string(rollout.member) + " " + rollout.ending + ":";
  for (const Segment& segment : rollout.segments) {
    for (const Token token : segment.context.tokens()) text += " " + std::to_string(token);
    text += ";";
  }
  return text;
}

/// Three rollouts of each of four tasks.
const std::vector<Task> kTasks{task("1"), task("2"), task("3"), task("4")};
template <class Scheduler>
void start_twelve(Scheduler& scheduler) {
  for (std::size_t i = 0; i < 12; ++i) scheduler.start({&kTasks[i / 3], i / 3, i % 3}, {}, kRandom);
}

template <class Scheduler>
std::vector<FinishedRollout> take_all(Scheduler& scheduler) {
  std::vector<FinishedRollout> all;
  while (auto finished = scheduler.next_finished()) all.push_back(std::move(*finished));
  return all;
}

template <class Scheduler>
std::vector<std::string> texts_by_ticket(Scheduler& scheduler) {
  std::vector<std::string> texts(12);
  for (const FinishedRollout& finished : take_all(scheduler))
    texts.at(finished.ticket) = text_of(finished.rollout);
  return texts;
}

}  // namespace

TEST_CASE("rollouts leave the stream as they end, each once, with its ticket", "[rollout]") {
  ScriptedModel model{toy::vocab, counts_to_five};
  RolloutScheduler scheduler{SharedWeights{model}, protocol()};
  const Task far = task("2"), near = task("4"), there = task("5");
  CHECK(!scheduler.next_finished());
  CHECK(scheduler.start({&far, 0, 0}, {}, kRandom) == 0);
  CHECK(scheduler.start({&near, 1, 0}, {}, kRandom) == 1);
  CHECK(scheduler.unfinished() == 2);
  const FinishedRollout first = *scheduler.next_finished();
  CHECK(first.ticket == 1);  // two turns of three tokens against four
  CHECK(first.rollout.answer == "5");
  CHECK(first.retries == 0);
  CHECK(scheduler.unfinished() == 1);
  CHECK(scheduler.start({&there, 2, 0}, {}, kRandom) == 2);  // beside one that is half-way
  std::vector<std::size_t> tickets;
  for (const FinishedRollout& finished : take_all(scheduler)) tickets.push_back(finished.ticket);
  std::sort(tickets.begin(), tickets.end());
  CHECK(tickets == std::vector<std::size_t>{0, 2});
  CHECK(scheduler.unfinished() == 0);
}

namespace {

/// A model that counts the windows that it keeps something of.
struct CountingModel : ScriptedModel {
  using ScriptedModel::ScriptedModel;
  std::set<SequenceId> kept;
  std::size_t most = 0;
  void submit(const GenerationRequest& request) {
    kept.insert(request.sequence);
    most = std::max(most, kept.size());
    ScriptedModel::submit(request);
  }
  void release(SequenceId sequence) { kept.erase(sequence); }
};

}  // namespace

TEST_CASE("ten thousand episodes pass a bound of 64", "[rollout]") {
  CountingModel model{toy::vocab, counts_to_five};
  RolloutScheduler scheduler{SharedWeights{model}, protocol(), {.max_live_episodes = 64}};
  const std::vector<Task> tasks{task("3"), task("4"), task("5")};
  constexpr std::size_t kEpisodes = 10'000;
  for (std::size_t i = 0; i < kEpisodes; ++i) scheduler.start({&tasks[i % 3], i, 0}, {}, kRandom);
  std::vector<int> times(kEpisodes, 0);
  while (const auto finished = scheduler.next_finished()) {
    ++times[finished->ticket];
    REQUIRE(finished->rollout.group == finished->ticket);
    REQUIRE(finished->rollout.turns == 3 - finished->ticket % 3);
    REQUIRE(finished->rollout.answer == "5");
  }
  CHECK(times == std::vector<int>(kEpisodes, 1));
  CHECK(model.most == 64);
  CHECK(model.kept.empty());
}

TEST_CASE("rollouts do not depend on the order in which a model elsewhere answers",
          "[rollout][threads]") {
  const auto rules = protocol(toy::Successor<Execution::worker>{}, TokenBudget{.max_tokens = 16});
  ScriptedModel local{toy::vocab, draws};
  RolloutScheduler here{SharedWeights{local}, rules, {.max_live_episodes = 1}};
  start_twelve(here);
  const std::vector<std::string> expected = texts_by_ticket(here);
  CHECK(std::set<std::string>(expected.begin(), expected.end()).size() == 12);
  std::size_t requests = 0;  // of all rollouts
  ScriptedModel counted{toy::vocab, [&](auto context, AgentRole agent, const RandomStream& random) {
                          ++requests;
                          return draws(context, agent, random);
                        }};
  RolloutScheduler counts{SharedWeights{counted}, rules};
  start_twelve(counts);
  CHECK(texts_by_ticket(counts) == expected);

  for (const auto next : {RemoteModel::Next::oldest, RemoteModel::Next::newest}) {
    RemoteModel remote{toy::vocab, draws};
    RolloutScheduler scheduler{SharedWeights{remote}, rules, {.max_live_episodes = 5}};
    start_twelve(scheduler);
    std::thread server([&] {
      for (std::size_t i = 0; i < requests; ++i) remote.answer(next);
    });
    CHECK(texts_by_ticket(scheduler) == expected);
    server.join();
  }
}

namespace {

double cpu_seconds_of_process() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// CPU time of this process in half a second. Spinning takes all that a core gives to one thread,
/// on a busy machine a good part of it; sleeping takes next to nothing.
double cpu_seconds_of_half_a_second() {
  const double before = cpu_seconds_of_process();
  std::this_thread::sleep_for(std::chrono::milliseconds(500));  // it is what is measured
  return cpu_seconds_of_process() - before;
}
constexpr double kNextToNothing = 0.05;

/// Answers 5 when the gate opens.
struct Slow {
  std::promise<void>* started = nullptr;
  std::shared_future<void> opened;
  static constexpr std::string_view name = "successor";
  using Arguments = toy::Successor<>::Arguments;
  std::string operator()(const Arguments&, const CallInfo&) const {
    started->set_value();
    opened.wait();
    return "5";
  }
};

}  // namespace

TEST_CASE("a run that waits for one slow tool uses no CPU", "[rollout][threads]") {
  std::promise<void> started, open;
  ScriptedModel model{toy::vocab, counts_to_five};
  RolloutScheduler scheduler{SharedWeights{model},
                             protocol(Slow{&started, open.get_future().share()})};
  const Task one = task("1");
  scheduler.start({&one, 0, 0}, {}, kRandom);
  double used = 1;
  std::thread opener([&] {
    started.get_future().wait();
    used = cpu_seconds_of_half_a_second();
    open.set_value();
  });
  CHECK(scheduler.next_finished()->rollout.answer == "5");
  opener.join();
  CHECK(used < kNextToNothing);
}

TEST_CASE("a run that waits for a model elsewhere uses no CPU", "[rollout][threads]") {
  RemoteModel model{toy::vocab, counts_to_five};
  RolloutScheduler scheduler{SharedWeights{model}, protocol()};
  const Task one = task("4");
  scheduler.start({&one, 0, 0}, {}, kRandom);
  double used = 1;
  std::thread server([&] {
    model.answer();
    used = cpu_seconds_of_half_a_second();  // the second turn
    model.answer();
  });
  CHECK(scheduler.next_finished()->rollout.answer == "5");
  server.join();
  CHECK(used < kNextToNothing);
}

namespace {

/// Requests fail while their rollout began with digit 3: `failures` of them, then none.
struct FailingModel : ScriptedModel {
  FailingModel(Script script, std::size_t failures_)
      : ScriptedModel(toy::vocab, std::move(script)), failures(failures_) {}
  std::size_t failures;
  std::vector<GenerationRequest> failed;

  void submit(const GenerationRequest& request) {
    if (failures == 0 || request.context[1] != toy::digit(3)) return ScriptedModel::submit(request);
    --failures;
    failed.push_back(request);
  }
  template <class OnFinished>
  std::size_t advance(OnFinished&& on_finished) {
    for (const GenerationRequest& request : std::exchange(failed, {}))
      on_finished(Generation::failed(request, "the server is gone"));
    return ScriptedModel::advance(on_finished);
  }
};

}  // namespace

TEST_CASE("a failed request costs its rollout only", "[rollout]") {
  const auto rules = protocol(toy::Successor<>{}, TokenBudget{.max_tokens = 16});
  ScriptedModel sound{toy::vocab, draws};
  RolloutScheduler whole{SharedWeights{sound}, rules};
  start_twelve(whole);
  std::vector<std::string> expected = texts_by_ticket(whole);

  FailingModel model{draws, 1};
  RolloutScheduler scheduler{SharedWeights{model}, rules, {.request_retries = 0}};
  start_twelve(scheduler);
  std::size_t aborted = 0;
  std::vector<std::string> texts(12);
  for (const FinishedRollout& finished : take_all(scheduler)) {
    texts.at(finished.ticket) = text_of(finished.rollout);
    if (finished.rollout.status != RolloutStatus::aborted) continue;
    ++aborted;
    CHECK(finished.ticket == 6);  // the first of task 3
    CHECK(finished.rollout.ending ==
          "aborted: a model's request failed 1 time: the server is gone");
    expected[6] = text_of(finished.rollout);
  }
  CHECK(aborted == 1);
  CHECK(texts == expected);
}

TEST_CASE("a request that failed is made again, with the same result, and counted", "[rollout]") {
  ScriptedModel sound{toy::vocab, draws};
  const std::vector<Task> tasks{task("3")};
  const auto play = [&](auto& model, std::size_t retries) {
    RolloutScheduler scheduler{SharedWeights{model}, protocol(), {.request_retries = retries}};
    scheduler.start({&tasks[0], 0, 0}, {}, kRandom);
    return std::move(*scheduler.next_finished());
  };
  const std::string expected = text_of(play(sound, 0).rollout);
  FailingModel model{draws, 2};
  const FinishedRollout finished = play(model, 2);
  CHECK(finished.retries == 2);
  CHECK(text_of(finished.rollout) == expected);

  FailingModel worse{draws, 3};
  const FinishedRollout given_up = play(worse, 2);
  CHECK(given_up.retries == 2);
  CHECK(given_up.rollout.status == RolloutStatus::aborted);
  CHECK(given_up.rollout.ending == "aborted: a model's request failed 3 times: the server is gone");
  CHECK(worse.advance([](Generation&&) {}) == 0);
}

TEST_CASE("a rollout may outlive a step; its tokens carry the versions they were drawn from",
          "[rollout]") {
  RemoteModel model{toy::vocab, counts_to_five};
  RolloutScheduler scheduler{SharedWeights{model}, protocol()};
  const Task soon = task("5"), late = task("3");
  scheduler.start({&soon, 0, 0}, {}, kRandom);
  scheduler.start({&late, 1, 0}, {}, kRandom);
  std::thread first_step([&] {
    model.answer(RemoteModel::Next::newest, 2);  // the first turn of `late`
    model.answer(RemoteModel::Next::oldest, 2);  // the only turn of `soon`
  });
  CHECK(scheduler.next_finished()->ticket == 0);
  first_step.join();
  CHECK(scheduler.unfinished() == 1);

  model.publish(1);
  const Task third = task("5");
  scheduler.start({&third, 2, 0}, {}, kRandom);
  std::thread second_step([&] {
    model.answer(RemoteModel::Next::oldest, 2);  // the second turn of `late`, asked for before
    model.answer(RemoteModel::Next::newest, 2);  // its third turn
    model.answer();
  });
  const FinishedRollout finished = *scheduler.next_finished();
  CHECK(finished.ticket == 1);
  std::vector<WeightVersion> versions;
  const Context& context = finished.rollout.segments[0].context;
  for (const Span& span : context.spans())
    if (span.is_sampled()) versions.push_back(context.weight_versions(span).front());
  CHECK(versions == std::vector<WeightVersion>{0, 0, 1});
  const Rollout after = scheduler.next_finished()->rollout;
  second_step.join();
  const Context& asked_later = after.segments[0].context;
  CHECK(asked_later.weight_versions(asked_later.spans()[1]).front() == 1);
}

TEST_CASE("an exception drops all that is unfinished; the next start begins anew", "[rollout]") {
  struct Throws : toy::Dialect {
    Turn parse_turn(std::span<const Token> tokens) const {
      if (tokens[1] == toy::digit(2)) throw Error("cannot read this turn", "Throws");
      return toy::Dialect::parse_turn(tokens);
    }
  };
  ScriptedModel model{toy::vocab, counts_to_five};
  RolloutScheduler scheduler{SharedWeights{model},
                             Protocol{Throws{}, ToolBox{toy::Successor<>{}}, Never{}},
                             {.max_live_episodes = 2}};
  const std::vector<Task> tasks{task("4"), task("2"), task("1"), task("1")};
  for (std::size_t i = 0; i < 4; ++i) scheduler.start({&tasks[i], i, 0}, {}, kRandom);
  CHECK_THROWS_WITH(scheduler.next_finished(), ContainsSubstring("cannot read this turn"));
  CHECK(scheduler.unfinished() == 0);
  CHECK(model.advance([](Generation&&) {}) == 0);
  CHECK(scheduler.start({&tasks[0], 0, 0}, {}, kRandom) == 4);
  CHECK(scheduler.next_finished()->rollout.answer == "5");
}

TEST_CASE("a batch is refused while rollouts are unfinished; leaving the stream frees the models",
          "[rollout]") {
  ScriptedModel model{toy::vocab, counts_to_five};
  const std::vector<Task> tasks{task("1"), task("5")};
  {
    RolloutScheduler scheduler{SharedWeights{model}, protocol()};
    scheduler.start({&tasks[0], 0, 0}, {}, kRandom);
    scheduler.start({&tasks[1], 1, 0}, {}, kRandom);
    CHECK(scheduler.next_finished()->ticket == 1);
    CHECK_THAT(error_of([&] { scheduler.run(tasks, 1, {}, kRandom); }),
               ContainsSubstring("1 rollouts are unfinished"));
    scheduler.abandon();
    CHECK(scheduler.run(tasks, 1, {}, kRandom)[1].answer == "5");
    scheduler.start({&tasks[0], 0, 0}, {}, kRandom);
    scheduler.start({&tasks[1], 1, 0}, {}, kRandom);
    CHECK(scheduler.next_finished()->rollout.group == 1);
  }
  CHECK(model.advance([](Generation&&) {}) == 0);
}
