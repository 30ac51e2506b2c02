#include "dualagent/rollout/completion_queue.hpp"

#include <chrono>
#include <future>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/wait_for.hpp"

using namespace dualagent;

namespace {
using Queue = CompletionQueue<int>;
}  // namespace

TEST_CASE("completions come once, in the order in which they were posted", "[rollout]") {
  Queue queue;
  for (const int completion : {3, 1, 2}) queue.post(completion);
  std::vector<int> taken{9};
  queue.take(taken, Queue::Wait::for_one, end_of_patience());
  CHECK(taken == std::vector<int>{3, 1, 2});
  queue.take(taken, Queue::Wait::no);
  CHECK(taken.empty());
}

TEST_CASE("a take that waits goes on with what another thread posts", "[rollout][threads]") {
  Queue queue;
  std::thread poster([&] { queue.post(7); });
  std::vector<int> taken;
  queue.take(taken, Queue::Wait::for_one, end_of_patience());
  poster.join();
  CHECK(taken == std::vector<int>{7});
}

TEST_CASE("a wake ends one take that waits, be it before or during it", "[rollout][threads]") {
  Queue queue;
  std::vector<int> taken{9};
  queue.wake();
  queue.take(taken, Queue::Wait::for_one, end_of_patience());  // would wait for ever
  CHECK(taken.empty());

  std::thread waker([&] { queue.wake(); });
  queue.take(taken, Queue::Wait::for_one, end_of_patience());
  waker.join();
  CHECK(taken.empty());

  std::promise<void> gate;  // both wakes are used up: the next take waits for the completion
  std::thread poster([&, opened = gate.get_future()]() mutable {
    opened.wait();
    queue.post(4);
  });
  gate.set_value();
  queue.take(taken, Queue::Wait::for_one, end_of_patience());
  poster.join();
  CHECK(taken == std::vector<int>{4});
}

TEST_CASE("a take ends at its deadline", "[rollout]") {
  Queue queue;
  std::vector<int> taken{9};
  queue.take(taken, Queue::Wait::for_one, Queue::Clock::now());  // has passed already
  CHECK(taken.empty());
  queue.take(taken, Queue::Wait::for_one, Queue::Clock::now() + std::chrono::milliseconds(1));
  CHECK(taken.empty());
}
