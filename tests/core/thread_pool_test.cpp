#include "dualagent/core/thread_pool.hpp"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/sanitizers.hpp"

using namespace dualagent;

TEST_CASE("every worker runs once per round, the caller as worker 0", "[core][threads]") {
  for (const std::size_t threads : {1u, 2u, 5u}) {
    ThreadPool pool(threads);
    CHECK(pool.size() == threads);
    for (int round = 0; round < 50; ++round) {
      std::vector<int> calls(threads, 0);
      std::vector<std::thread::id> ids(threads);
      pool.run([&](std::size_t worker) {
        ++calls[worker];
        ids[worker] = std::this_thread::get_id();
      });
      CHECK(calls == std::vector<int>(threads, 1));
      CHECK(ids[0] == std::this_thread::get_id());
      CHECK(std::set<std::thread::id>(ids.begin(), ids.end()).size() == threads);
    }
  }
}

TEST_CASE("workers of one round run at the same time", "[core][threads]") {
  ThreadPool pool(3);
  std::atomic<int> arrived{0};
  pool.run([&](std::size_t) {  // ends only if all three are in it together
    ++arrived;
    while (arrived < 3) std::this_thread::yield();
  });
  CHECK(arrived == 3);
}

TEST_CASE("for_each visits every index once, worker w the indices w, w + size, ...",
          "[core][threads]") {
  ThreadPool pool(3);
  for (const std::size_t count : {0u, 1u, 2u, 3u, 10u, 1000u}) {
    std::vector<int> visits(count, 0);
    std::vector<std::thread::id> by(count);
    pool.for_each(count, [&](std::size_t index) {
      ++visits[index];
      by[index] = std::this_thread::get_id();
    });
    CHECK(visits == std::vector<int>(count, 1));
    for (std::size_t i = 3; i < count; ++i) CHECK(by[i] == by[i - 3]);
    if (count > 0) CHECK(by[0] == std::this_thread::get_id());
  }
}

TEST_CASE("dynamic assignment visits every index once and says by whom", "[core][threads]") {
  for (const std::size_t threads : {1u, 3u}) {
    ThreadPool pool(threads);
    for (const std::size_t count : {0u, 1u, 2u, 3u, 10u, 1000u}) {
      std::vector<int> visits(count, 0);
      std::vector<std::size_t> by(count, threads);
      pool.for_each_dynamic(count, [&](std::size_t worker, std::size_t index) {
        ++visits[index];
        by[index] = worker;
      });
      CHECK(visits == std::vector<int>(count, 1));
      for (const std::size_t worker : by) CHECK(worker < threads);
    }
  }
}

TEST_CASE("dynamic assignment gives the rest to whoever is free", "[core][threads]") {
  ThreadPool pool(2);
  std::atomic<std::size_t> others{0};
  pool.for_each_dynamic(50, [&](std::size_t, std::size_t index) {
    if (index != 0) ++others;
    while (index == 0 && others < 49) std::this_thread::yield();  // waits for all the others
  });
  CHECK(others == 49);
}

TEST_CASE("what workers wrote is there when the round ends", "[core][threads]") {
  ThreadPool pool(4);
  std::vector<std::size_t> values(4096, 0);
  for (std::size_t round = 1; round <= 200; ++round) {
    pool.for_each(values.size(), [&](std::size_t i) { values[i] += i * round; });
    if (round % 50 != 0) continue;
    for (std::size_t i = 0; i < values.size(); ++i)
      if (values[i] != i * round * (round + 1) / 2) FAIL("element " << i << " after " << round);
  }
  SUCCEED();
}

TEST_CASE("the exception of the lowest worker reaches the caller, and the pool lives on",
          "[core][threads]") {
  for (const std::size_t threads : {1u, 4u}) {
    ThreadPool pool(threads);
    std::atomic<int> finished{0};
    CHECK_THROWS_WITH(pool.run([&](std::size_t worker) {
      ++finished;
      if (worker != 1 || threads == 1) throw std::runtime_error("worker " + std::to_string(worker));
    }),
                      "worker 0");
    CHECK(finished == static_cast<int>(threads));  // nobody is left running
    finished = 0;
    CHECK_NOTHROW(pool.run([&](std::size_t) { ++finished; }));
    CHECK(finished == static_cast<int>(threads));
  }
  ThreadPool pool(4);
  CHECK_THROWS_WITH(pool.run([](std::size_t worker) {
    if (worker >= 2) throw std::runtime_error("worker " + std::to_string(worker));
  }),
                    "worker 2");
}

TEST_CASE("a pool without threads is refused", "[core][threads]") {
  CHECK_THROWS_WITH(ThreadPool(0), ContainsSubstring("threads is 0 (ThreadPool)"));
}

TEST_CASE("more threads than a system can have are refused by name", "[core][threads]") {
  for (const std::size_t threads : {std::size_t{1} << 40U, std::size_t{1} << 60U, ~std::size_t{0}})
    CHECK_THROWS_WITH(ThreadPool(threads), ContainsSubstring("threads is ") &&
                                               ContainsSubstring("at least 1 and at most 65536"));
}

TEST_CASE("a pool that never ran, or that slept, ends cleanly", "[core][threads]") {
  for (int i = 0; i < 20; ++i) ThreadPool unused(3);
  ThreadPool pool(2);
  pool.run([](std::size_t) {});
  // Longer than the bounded spin of a waiting worker, counted in work instead of in time.
  std::atomic<std::size_t> work{0};
  while (work < 2'000'000) ++work;
  std::atomic<int> calls{0};
  pool.run([&](std::size_t) { ++calls; });
  CHECK(calls == 2);
}

// Sanitizers reserve more address space than the test leaves.
#if !DUALAGENT_UNDER_ADDRESS_SANITIZER && !DUALAGENT_UNDER_THREAD_SANITIZER
TEST_CASE("threads that cannot be started are an Error, and those that were end",
          "[core][threads]") {
  const pid_t child = ::fork();
  if (child == 0) {  // its address space takes a few stacks of 8 MiB
    const rlimit space{std::size_t{1} << 29, std::size_t{1} << 29};
    if (::setrlimit(RLIMIT_AS, &space) != 0) ::_exit(2);
    const std::string error = error_of([] { ThreadPool pool(5000); });
    ::_exit(error.find("of 5000 threads could be started") != std::string::npos ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}
#endif

TEST_CASE("shares of a team are contiguous, begin at multiples of the unit and cover all",
          "[core][threads]") {
  for (const std::size_t threads : {1u, 2u, 3u}) {
    ThreadPool pool(threads);
    for (const std::size_t count : {0u, 1u, 4u, 7u, 40u, 41u}) {
      std::vector<std::atomic<int>> visits(count);
      std::atomic<std::size_t> shares{0}, crooked{0};
      detail::for_each_share(pool, count, 4, [&](std::size_t first, std::size_t size) {
        ++shares;
        crooked += first % 4 != 0 || (first + size < count && size % 4 != 0);
        for (std::size_t i = first; i < first + size; ++i) ++visits[i];
      });
      INFO(threads << " threads, " << count);
      CHECK(crooked == 0);
      CHECK(std::all_of(visits.begin(), visits.end(), [](const auto& n) { return n == 1; }));
      CHECK(shares == (threads == 1 ? std::min<std::size_t>(count, 1)
                                    : std::min((count + 3) / 4, 2 * threads)));
    }
  }
}
