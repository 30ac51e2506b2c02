#include "dualagent/net/connection_threads.hpp"

#include <atomic>
#include <latch>

#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("each connection has a thread of its own, and what is above the most is refused",
          "[net]") {
  ConnectionThreads threads(3);
  std::latch together(4);
  std::atomic<int> served = 0;
  for (int i = 0; i < 3; ++i)
    threads.enqueue([&] {
      CHECK(!ConnectionThreads::refused());
      together.arrive_and_wait();  // nobody passes before all are here
      ++served;
    });
  bool refused = false;
  threads.enqueue([&] { refused = ConnectionThreads::refused(); });
  CHECK(refused);
  CHECK(!ConnectionThreads::refused());
  together.arrive_and_wait();
  threads.shutdown();
  CHECK(served == 3);
}

TEST_CASE("threads are kept: one after another is served, and all before shutdown", "[net]") {
  ConnectionThreads threads(2);
  std::atomic<int> served = 0, refused = 0;
  for (int i = 0; i < 200; ++i)
    threads.enqueue([&] { ConnectionThreads::refused() ? ++refused : ++served; });
  threads.shutdown();
  CHECK(served >= 2);
  CHECK(served + refused == 200);
}
