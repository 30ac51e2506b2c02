#include "dualagent/rollout/tool_caller.hpp"

#include <condition_variable>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "dualagent/rollout/protocol.hpp"
#include "support/catch.hpp"
#include "support/toy_protocol.hpp"

using namespace dualagent;

namespace {

const Task kTask{.id = "t", .prompt = "1"};
constexpr double kNoDeadline = std::numeric_limits<double>::infinity();

/// A channel whose episode waits for these calls, and the caller that answers them.
template <class Tool>
struct Call {
  using Rules = Protocol<toy::Dialect, ToolBox<Tool>, Never>;
  using Caller = ToolCaller<Rules>;
  using Progress = typename Caller::Progress;
  std::shared_ptr<typename Caller::Completions> completions =
      std::make_shared<typename Caller::Completions>();
  Caller caller;
  EpisodeChannel channel{kTask, 0, 0, SummaryWindow::shared, 100};
  typename Caller::EpisodeCalls calls;
  JournalEntry journal;

  Call(const std::vector<int>& arguments, Tool tool, double deadline_seconds = kNoDeadline)
      : caller(std::make_shared<const Rules>(toy::Dialect{}, ToolBox{tool}, Never{}), completions,
               2, deadline_seconds) {
    Context context;
    context.append(Provenance::prompt, std::vector<Token>{toy::bos});
    channel.open(std::move(context));
    std::vector<ToolCall> asked;
    for (const int x : arguments)
      asked.push_back({"successor", "{\"x\":" + std::to_string(x) + "}"});
    channel.call(std::move(asked));
  }

  Progress begin() { return caller.begin(9, channel, calls, journal); }
  /// Takes completions until the episode has its answers; returns how many there were.
  std::size_t finish() {
    std::vector<ToolWorkers::Finished> finished;
    for (std::size_t taken = 0;;) {
      completions->take(finished, Caller::Completions::Wait::for_one, caller.expire_late());
      for (const ToolWorkers::Finished& one : finished) {
        CHECK(one.id == 9);
        ++taken;
        if (caller.take(one, channel, calls, journal) == Progress::answered) return taken;
      }
    }
  }
  bool answered() const { return std::holds_alternative<std::monostate>(channel.pending()); }
  std::vector<ToolStatus> statuses() const {
    std::vector<ToolStatus> all;
    for (const ToolUse& use : channel.rollout().tool_uses) all.push_back(use.status);
    return all;
  }
};

/// Answers 1 with 2; else waits until it is asked to stop.
struct WaitsForever {
  static constexpr std::string_view name = "successor";
  using Arguments = toy::Successor<>::Arguments;
  std::string operator()(const Arguments& arguments, const CallInfo& info) const {
    if (arguments.x == 1) return "2";
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any().wait(lock, info.cancel, [] { return false; });
    return "stopped";
  }
};

}  // namespace

TEST_CASE("immediate calls are answered at once, in their order", "[rollout]") {
  Call call({4, 8}, toy::Successor<Execution::immediate>{});
  CHECK(call.begin() == decltype(call)::Progress::answered);
  CHECK(call.answered());
  CHECK(call.statuses() == std::vector{ToolStatus::ok, ToolStatus::failed});
  CHECK(call.channel.rollout().calls == 2);
}

TEST_CASE("the calls of a turn go to the workers one after the other", "[rollout][threads]") {
  Call call({4, 8, 1}, toy::Successor<Execution::worker>{});
  CHECK(call.begin() == decltype(call)::Progress::waiting);
  CHECK(!call.answered());
  CHECK(call.finish() == 3);
  CHECK(call.answered());
  CHECK(call.statuses() == std::vector{ToolStatus::ok, ToolStatus::failed, ToolStatus::ok});
}

TEST_CASE("a broken environment aborts the rollout, wherever the tool runs", "[rollout][threads]") {
  const auto check = [](const auto& call) {
    CHECK(call.answered());
    CHECK(call.channel.rollout().status == RolloutStatus::aborted);
    CHECK(call.channel.rollout().ending == "aborted: the ledger server is gone");
  };
  Call at_once({7, 1}, toy::Successor<Execution::immediate>{});
  CHECK(at_once.begin() == decltype(at_once)::Progress::answered);
  check(at_once);
  Call on_worker({7, 1}, toy::Successor<Execution::worker>{});
  on_worker.begin();
  CHECK(on_worker.finish() == 1);  // the second call is not made
  check(on_worker);
}

TEST_CASE("a late call is answered for the tool and the turn goes on", "[rollout][threads]") {
  Call call({0, 1}, WaitsForever{}, 1.0);  // long enough for the second call, on a busy machine
  CHECK(call.begin() == decltype(call)::Progress::waiting);
  CHECK(call.finish() == 2);
  CHECK(call.statuses() == std::vector{ToolStatus::timed_out, ToolStatus::ok});
}
