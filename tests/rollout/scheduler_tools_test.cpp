// Tools that take long, hang or break while episodes wait for them.

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "dualagent/model/scripted.hpp"
#include "dualagent/rollout/scheduler.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/toy_protocol.hpp"
#include "support/wait_for.hpp"

using namespace dualagent;

namespace {

using Tokens = std::vector<Token>;

/// Calls with the last digit it sees.
Tokens calls(std::span<const Token> context, AgentRole, const RandomStream&) {
  return {toy::call, context.back(), toy::end};
}

Task task(std::string prompt) { return {.id = "t" + prompt, .prompt = prompt, .answer = "5"}; }

/// A tool that runs on a worker until it is asked to stop.
struct Waits {
  std::promise<void>* started = nullptr;
  std::atomic<bool>* stopped = nullptr;
  static constexpr std::string_view name = "successor";
  struct Arguments {
    int x = 0;
    template <class Visitor>
    void describe(Visitor&& visit) {
      visit("x", x);
    }
  };
  std::string operator()(const Arguments&, const CallInfo& info) const {
    started->set_value();
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any().wait(lock, info.cancel, [] { return false; });
    *stopped = true;
    return "1";
  }
};

/// x -> x + 1, but 3 never answers before a gate opens, whatever it is asked. Counts its calls in
/// the episode's memory.
struct Hangs {
  struct State {
    std::promise<void> open;
    std::shared_future<void> opened = open.get_future().share();
    std::atomic<int> hanging{0};
    std::atomic<int> ended{0};
    std::promise<void> all_ended;
  };
  std::shared_ptr<State> state;
  static constexpr std::string_view name = "successor";
  using Arguments = Waits::Arguments;
  std::string operator()(const Arguments& arguments, const CallInfo& info) const {
    int& calls = info.memory->of<int>(this);
    ++calls;
    if (arguments.x == 3) {
      ++state->hanging;
      state->opened.wait();
      ++calls;  // the memory, the task and this tool are still there
      if (!info.task->id.empty() && ++state->ended == state->hanging) state->all_ended.set_value();
    }
    return std::to_string(arguments.x == 1 ? 1 + calls : (arguments.x + 1) % 10);
  }
};

/// Calls with the last digit until a call fails, then with 1, then answers 5.
Tokens goes_on(std::span<const Token> context, AgentRole, const RandomStream&) {
  const bool told = std::count(context.begin(), context.end(), toy::sorry) > 0;
  const Token last = context.back();
  if (last == toy::sorry) return {toy::call, toy::digit(1), toy::end};
  if (told) return {toy::answer, last, toy::end};
  return {toy::call, last, toy::end};
}

}  // namespace

TEST_CASE("a run that ends early asks the tools that still run to stop", "[rollout][threads]") {
  struct Throws : toy::Dialect {
    std::shared_future<void> started;
    Turn parse_turn(std::span<const Token> tokens) const {
      if (tokens[1] != toy::digit(2)) return toy::Dialect::parse_turn(tokens);
      started.wait();
      throw Error("cannot read this turn", "Throws");
    }
  };
  std::promise<void> started;
  std::atomic<bool> stopped{false};
  ScriptedModel model{toy::vocab, calls};
  const std::vector<Task> tasks{task("1"), task("2")};
  Throws dialect;
  dialect.started = started.get_future().share();
  RolloutScheduler scheduler{SharedWeights{model},
                             Protocol{dialect, ToolBox{Waits{&started, &stopped}}, Never{}}};
  CHECK_THROWS_AS(scheduler.run(tasks, 1, {}, RandomStream::from_seed(1)), Error);
  CHECK(stopped);
}

TEST_CASE("a tool without an answer at its deadline is told to the model and left behind",
          "[rollout][threads]") {
  const auto state = std::make_shared<Hangs::State>();
  {
    ScriptedModel model{toy::vocab, goes_on};
    std::vector<Task> tasks{task("1"), task("3"), task("4")};
    const Protocol rules{toy::Dialect{}, ToolBox{Hangs{state}}, Never{}, ReplaceBySummary{},
                         RolloutLimits{.max_turns = 4, .max_calls = 3}};
    RolloutScheduler scheduler{
        SharedWeights{model}, rules, {.tool_threads = 1, .tool_deadline_seconds = 1.0}};
    const auto rollouts = scheduler.run(tasks, 1, {}, RandomStream::from_seed(1));
    // 1 -> 2 -> 3, which hangs at the third call: the turn limit follows. 3 hangs at once; the
    // episode goes on, with a memory in which the next call is the first: 1 + 1.
    CHECK(rollouts[1].answer == "2");
    CHECK(rollouts[1].calls == 2);
    CHECK(rollouts[2].calls == 3);  // 4, 5, 6: a neighbour's hanging tool did not matter
    tasks.clear();                  // the late calls have a copy
  }
  CHECK(state->hanging == 2);
  state->open.set_value();
  wait_for("the end of the late calls", state->all_ended.get_future());
}

TEST_CASE("a tool set of one's own that throws ends the run with an Error", "[rollout][threads]") {
  struct Tools {
    Execution where = Execution::immediate;
    ToolResult call(const ToolCall&, const CallInfo&) const { throw 7; }
    Execution execution(const ToolCall&) const { return where; }
    std::vector<ToolSpec> specs() const { return {{.name = "successor"}}; }
  };
  ScriptedModel model{toy::vocab, calls};
  for (const Execution where : {Execution::immediate, Execution::worker}) {
    RolloutScheduler scheduler{SharedWeights{model},
                               Protocol{toy::Dialect{}, Tools{where}, Never{}}};
    const Task one = task("4");
    CHECK_THAT(
        error_of([&] { scheduler.run(std::span(&one, 1), 1, {}, RandomStream::from_seed(1)); }),
        ContainsSubstring("an exception of type int"));
  }
}
