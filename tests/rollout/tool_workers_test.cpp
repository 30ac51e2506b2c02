#include "dualagent/rollout/tool_workers.hpp"

#include <atomic>
#include <future>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;

namespace {

std::vector<ToolWorkers::Finished> take(ToolWorkers& workers, std::size_t count) {
  std::vector<ToolWorkers::Finished> all;
  while (all.size() < count) {
    std::vector<ToolWorkers::Finished> some;
    workers.take_finished(some, ToolWorkers::Wait::for_one);
    CHECK(!some.empty());
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

}  // namespace

TEST_CASE("every job runs once, on a worker, and is handed back once", "[rollout][threads]") {
  ToolWorkers workers(3);
  std::vector<int> runs(100, 0);
  std::vector<std::thread::id> by(100);
  for (std::size_t id = 0; id < runs.size(); ++id)
    workers.submit(id, [&, id] {
      ++runs[id];
      by[id] = std::this_thread::get_id();
    });
  std::set<std::size_t> ids;
  for (const ToolWorkers::Finished& finished : take(workers, runs.size())) {
    CHECK(finished.error == nullptr);
    ids.insert(finished.id);
  }
  CHECK(ids.size() == 100);
  CHECK(runs == std::vector<int>(100, 1));
  for (const std::thread::id thread : by) CHECK(thread != std::this_thread::get_id());
  std::vector<ToolWorkers::Finished> rest{{7, nullptr}};
  workers.take_finished(rest, ToolWorkers::Wait::no);
  CHECK(rest.empty());
}

TEST_CASE("one worker runs jobs in the order of submission", "[rollout][threads]") {
  ToolWorkers workers(1);
  std::vector<std::size_t> order;
  for (std::size_t id = 0; id < 20; ++id) workers.submit(id, [&order, id] { order.push_back(id); });
  const auto finished = take(workers, 20);
  for (std::size_t i = 0; i < 20; ++i) {
    CHECK(order[i] == i);
    CHECK(finished[i].id == i);
  }
}

TEST_CASE("a throwing job comes back with its exception and harms no other", "[rollout][threads]") {
  ToolWorkers workers(2);
  workers.submit(0, [] { throw std::runtime_error("job 0"); });
  workers.submit(1, [] {});
  for (const ToolWorkers::Finished& finished : take(workers, 2)) {
    CHECK((finished.error != nullptr) == (finished.id == 0));
    if (finished.error) CHECK_THROWS_WITH(std::rethrow_exception(finished.error), "job 0");
  }
}

TEST_CASE("not waiting returns at once while a job still runs", "[rollout][threads]") {
  std::promise<void> gate;
  ToolWorkers workers(1);
  workers.submit(4, [opened = gate.get_future().share()] { opened.wait(); });
  std::vector<ToolWorkers::Finished> finished;
  workers.take_finished(finished, ToolWorkers::Wait::no);
  CHECK(finished.empty());
  gate.set_value();
  CHECK(take(workers, 1)[0].id == 4);
}

TEST_CASE("at the end running jobs are waited for and waiting ones dropped", "[rollout][threads]") {
  std::promise<void> begun;
  std::promise<void> gate;
  std::atomic<int> ran{0};
  {
    ToolWorkers workers(1);
    workers.submit(0, [&, opened = gate.get_future().share()] {
      begun.set_value();
      opened.wait();
      ++ran;
    });
    begun.get_future().wait();
    // Job 0 can end only when job 1 is dropped, which opens the gate.
    const auto open_gate = [&gate](int* value) {
      delete value;
      gate.set_value();
    };
    workers.submit(
        1, [&ran, dropped = std::shared_ptr<int>(new int(100), open_gate)] { ran += *dropped; });
  }
  CHECK(ran == 1);
}
