#include "dualagent/net/connection_threads.hpp"

#include <atomic>
#include <stdexcept>
#include <system_error>

#include "support/catch.hpp"
#include "support/wait_for.hpp"

using namespace dualagent;

TEST_CASE("each connection has a thread of its own, and what is above the most is refused",
          "[net]") {
  ConnectionThreads threads(3);
  Together together(4);
  std::atomic<int> served = 0;
  for (int i = 0; i < 3; ++i)
    threads.enqueue([&] {
      CHECK(!ConnectionThreads::refused());
      if (together.arrive_and_wait()) ++served;
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

TEST_CASE("a connection for which no thread can be started is refused, and later ones are served",
          "[net]") {
  bool starts = false;
  ConnectionThreads threads(3, [&](std::function<void()> serve) {
    if (!starts) throw std::system_error(EAGAIN, std::generic_category());
    return std::thread(std::move(serve));
  });
  bool refused = false;
  threads.enqueue([&] { refused = ConnectionThreads::refused(); });
  CHECK(refused);
  starts = true;
  std::atomic<bool> served = false;
  threads.enqueue([&] { served = !ConnectionThreads::refused(); });
  threads.shutdown();
  CHECK(served);
}

TEST_CASE("what a connection throws ends neither the process nor its thread", "[net]") {
  ConnectionThreads threads(1);
  std::atomic<bool> thrown = false;
  threads.enqueue([&]() -> void {
    thrown = true;
    throw std::runtime_error("of one connection");
  });
  wait_for("the connection", [&] { return thrown.load(); });
  threads.enqueue([] { throw std::runtime_error("served or refused"); });
  CHECK(!ConnectionThreads::refused());
  threads.shutdown();
}
