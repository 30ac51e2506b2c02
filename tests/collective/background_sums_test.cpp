#include "dualagent/collective/background_sums.hpp"

#include <future>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/wait_for.hpp"

using dualagent::BackgroundSums;

TEST_CASE("what is started is done in its order on one other thread", "[collective]") {
  std::vector<int> done;
  std::vector<std::thread::id> threads;
  BackgroundSums sums([] {});
  const auto note = [&](int number) {
    return [&, number] {
      done.push_back(number);
      threads.push_back(std::this_thread::get_id());
    };
  };
  auto first = sums.start(note(1));
  auto second = sums.start(note(2));
  auto third = sums.start(note(3));
  third.wait();
  second.wait();
  first.wait();
  CHECK(done == std::vector<int>{1, 2, 3});
  CHECK(threads[0] != std::this_thread::get_id());
  CHECK(threads[2] == threads[0]);
}

TEST_CASE("what is started goes on while the caller does, until it has finished", "[collective]") {
  Together in_progress(2);
  int sum = 0;
  BackgroundSums sums([] {});
  auto one = sums.start([&] {
    if (in_progress.arrive_and_wait()) sum = 3;
  });
  CHECK(in_progress.arrive_and_wait());  // it is in progress, and this line is reached
  sums.finish();
  CHECK(sum == 3);
  one.wait();
}

TEST_CASE("what the work throws comes out of its own wait", "[collective]") {
  BackgroundSums sums([] {});
  auto fails = sums.start([] { throw std::runtime_error("the disk is full"); });
  auto works = sums.start([] {});
  CHECK_NOTHROW(works.wait());
  CHECK_THROWS_WITH(fails.wait(), "the disk is full");
}

TEST_CASE("work that is not waited for is interrupted before its handle is gone", "[collective]") {
  std::promise<void> interrupted;
  bool was_interrupted = false;
  BackgroundSums sums([&] { interrupted.set_value(); });
  {
    auto dropped = sums.start([&, interrupt = interrupted.get_future().share()] {
      was_interrupted = interrupt.wait_until(end_of_patience()) == std::future_status::ready;
    });
  }
  CHECK(was_interrupted);
}
