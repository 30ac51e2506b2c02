#include "dualagent/rollout/tool_workers.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <future>
#include <limits>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/wait_for.hpp"
#include "support/warnings.hpp"

using namespace dualagent;

namespace {

/// Workers, and the queue that they post to.
struct Team {
  using Queue = ToolWorkers::Completions;
  std::shared_ptr<Queue> queue = std::make_shared<Queue>();
  ToolWorkers workers;

  explicit Team(std::size_t threads,
                double deadline_seconds = std::numeric_limits<double>::infinity())
      : workers(queue, threads, deadline_seconds) {}
  Team(std::size_t threads, double deadline_seconds, ToolWorkers::StartThread start_thread)
      : workers(queue, threads, deadline_seconds, std::move(start_thread)) {}

  void submit(std::size_t id, ToolWorkers::Job job) { workers.submit(id, std::move(job)); }

  std::vector<ToolWorkers::Finished> take(std::size_t count) {
    std::vector<ToolWorkers::Finished> all, some;
    const auto end = end_of_patience();
    while (all.size() < count) {
      if (Queue::Clock::now() >= end) FAIL("two minutes have passed without a job's end");
      queue->take(some, Queue::Wait::for_one, std::min(workers.expire_late().value_or(end), end));
      all.insert(all.end(), some.begin(), some.end());
    }
    return all;
  }
  std::vector<ToolWorkers::Finished> take_what_is_there() {
    std::vector<ToolWorkers::Finished> some;
    workers.expire_late();
    queue->take(some, Queue::Wait::no);
    return some;
  }
};

/// A system that starts threads for as long as it has some.
struct ThreadSupply {
  int left;
  int started = 0;

  ToolWorkers::StartThread start() {
    return [this](std::function<void()> run) {
      if (left == 0) throw std::runtime_error("no more threads");
      --left, ++started;
      return std::thread(std::move(run));
    };
  }
};

/// A job that ends when it is asked to, and then says so.
ToolWorkers::Job until_asked(const std::shared_ptr<std::promise<void>>& stopped) {
  return [stopped](const std::stop_token& cancel) {
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any().wait(lock, cancel, [] { return false; });
    stopped->set_value();
  };
}

}  // namespace

TEST_CASE("every job runs once, on a worker, and is handed back once", "[rollout][threads]") {
  Team workers(3);
  std::vector<int> runs(100, 0);
  std::vector<std::thread::id> by(100);
  for (std::size_t id = 0; id < runs.size(); ++id)
    workers.submit(id, [&, id](const std::stop_token&) {
      ++runs[id];
      by[id] = std::this_thread::get_id();
    });
  std::set<std::size_t> ids;
  for (const ToolWorkers::Finished& finished : workers.take(runs.size())) {
    CHECK(finished.error == nullptr);
    ids.insert(finished.id);
  }
  CHECK(ids.size() == 100);
  CHECK(runs == std::vector<int>(100, 1));
  for (const std::thread::id thread : by) CHECK(thread != std::this_thread::get_id());
  CHECK(workers.take_what_is_there().empty());
}

TEST_CASE("one worker runs jobs in the order of submission", "[rollout][threads]") {
  Team workers(1);
  std::vector<std::size_t> order;
  for (std::size_t id = 0; id < 20; ++id)
    workers.submit(id, [&order, id](const std::stop_token&) { order.push_back(id); });
  const auto finished = workers.take(20);
  for (std::size_t i = 0; i < 20; ++i) {
    CHECK(order[i] == i);
    CHECK(finished[i].id == i);
  }
}

TEST_CASE("a throwing job comes back with its exception and harms no other", "[rollout][threads]") {
  Team workers(2);
  workers.submit(0, [](const std::stop_token&) { throw std::runtime_error("job 0"); });
  workers.submit(1, [](const std::stop_token&) {});
  for (const ToolWorkers::Finished& finished : workers.take(2)) {
    CHECK((finished.error != nullptr) == (finished.id == 0));
    if (finished.error) CHECK_THROWS_WITH(std::rethrow_exception(finished.error), "job 0");
  }
}

TEST_CASE("not waiting returns at once while a job still runs", "[rollout][threads]") {
  std::promise<void> gate;
  Team workers(1);
  workers.submit(4,
                 [opened = gate.get_future().share()](const std::stop_token&) { opened.wait(); });
  CHECK(workers.take_what_is_there().empty());
  gate.set_value();
  CHECK(workers.take(1)[0].id == 4);
}

TEST_CASE("at the end running jobs are waited for and waiting ones dropped", "[rollout][threads]") {
  std::promise<void> started;
  std::promise<void> gate;
  std::atomic<int> ran{0};
  {
    Team workers(1);
    workers.submit(0, [&, opened = gate.get_future().share()](const std::stop_token&) {
      started.set_value();
      opened.wait();
      ++ran;
    });
    wait_for("the job", started.get_future());
    // Job 0 can end only when job 1 is dropped, which opens the gate.
    const auto open_gate = [&gate](int* value) {
      delete value;
      gate.set_value();
    };
    workers.submit(1, [&ran, dropped = std::shared_ptr<int>(new int(100), open_gate)](
                          const std::stop_token&) { ran += *dropped; });
  }
  CHECK(ran == 1);
}

TEST_CASE("a job that misses its deadline is handed back, and holds up no other",
          "[rollout][threads]") {
  // Owned by the jobs too: they outlast the workers.
  struct Gate {
    std::promise<void> open;
    std::shared_future<void> opened = open.get_future().share();
    std::promise<std::stop_token> token;
    std::promise<void> ended;
  };
  const auto gate = std::make_shared<Gate>();
  {
    Team workers(1, 1.0);  // long enough for a job that does nothing, on a busy machine
    workers.submit(5, [gate](const std::stop_token& cancel) {
      gate->token.set_value(cancel);
      gate->opened.wait();  // does not look at the token
      gate->ended.set_value();
    });
    const ToolWorkers::Finished late = workers.take(1)[0];
    CHECK(late.id == 5);
    CHECK(late.outcome == ToolWorkers::Outcome::expired);
    std::future<std::stop_token> token = gate->token.get_future();
    wait_for("the job", token);
    CHECK(token.get().stop_requested());
    workers.submit(6, [](const std::stop_token&) {});  // in another thread
    const ToolWorkers::Finished next = workers.take(1)[0];
    CHECK(next.id == 6);
    CHECK(next.outcome == ToolWorkers::Outcome::done);
  }
  gate->open.set_value();
  wait_for("the end of the job", gate->ended.get_future());  // what it needs is still there
}

TEST_CASE("a late job that stops when asked is not handed back twice", "[rollout][threads]") {
  const auto stopped = std::make_shared<std::promise<void>>();
  Team workers(1, 0.02);
  workers.submit(1, until_asked(stopped));
  CHECK(workers.take(1)[0].outcome == ToolWorkers::Outcome::expired);
  wait_for("the end of the job", stopped->get_future());
  workers.submit(2, [](const std::stop_token&) {});
  const auto next = workers.take(1);
  REQUIRE(next.size() == 1);
  CHECK(next[0].id == 2);
}

TEST_CASE("a late job is asked to stop although no other thread can be started",
          "[rollout][threads]") {
  const auto stopped = std::make_shared<std::promise<void>>();
  ThreadSupply supply{.left = 1};
  Team workers(1, 1.0, supply.start());  // long enough for a job that does nothing
  workers.submit(1, until_asked(stopped));
  CHECK_THROWS_WITH(workers.take(2), ContainsSubstring("no thread could be started") &&
                                         ContainsSubstring("no more threads"));
  wait_for("the end of the job", stopped->get_future());
  std::vector<ToolWorkers::Finished> posted;
  workers.queue->take(posted, Team::Queue::Wait::no);
  REQUIRE(posted.size() == 1);
  CHECK(posted[0].outcome == ToolWorkers::Outcome::expired);
  workers.submit(2, [](const std::stop_token&) {});
  supply.left = 1;  // and now one can
  CHECK(workers.take(1)[0].id == 2);
}

TEST_CASE("jobs share the threads that are left until others can be started",
          "[rollout][threads]") {
  const Warnings warnings;
  const auto stopped = std::make_shared<std::promise<void>>();
  ThreadSupply supply{.left = 2};
  Team workers(2, 1.0, supply.start());
  workers.submit(1, until_asked(stopped));
  CHECK(workers.take(1)[0].outcome == ToolWorkers::Outcome::expired);
  wait_for("the end of the job", stopped->get_future());
  for (const std::size_t id : {2U, 3U}) {
    workers.submit(id, [](const std::stop_token&) {});
    CHECK(workers.take(1)[0].id == id);
  }
  CHECK(warnings.count() == 1);
  CHECK_THAT(warnings.text(), ContainsSubstring("tools go on with 1 of 2 threads"));
  supply.left = 5;
  workers.take_what_is_there();
  CHECK(supply.started == 3);
}

TEST_CASE("workers that cannot all be started are refused", "[rollout][threads]") {
  ThreadSupply supply{.left = 2};
  CHECK_THROWS_WITH(Team(3, 1.0, supply.start()),
                    ContainsSubstring("only 2 of 3 threads could be started: no more threads"));
}

TEST_CASE("workers end although a running job does not stop", "[rollout][threads]") {
  const auto started = std::make_shared<std::promise<void>>();
  const auto gate = std::make_shared<std::promise<void>>();
  const auto ended = std::make_shared<std::promise<void>>();
  {
    Team workers(2);  // no deadline
    workers.submit(0,
                   [started, ended, opened = gate->get_future().share()](const std::stop_token&) {
                     started->set_value();
                     opened.wait();
                     ended->set_value();
                   });
    wait_for("the job", started->get_future());
  }
  gate->set_value();
  wait_for("the end of the job", ended->get_future());
}
