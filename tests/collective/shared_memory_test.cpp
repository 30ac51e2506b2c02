#include "dualagent/collective/shared_memory.hpp"

#include <signal.h>
#include <unistd.h>

#include <cstddef>
#include <stdexcept>
#include <string>
#include <vector>

#include "dualagent/collective/launcher.hpp"
#include "dualagent/collective/threads.hpp"
#include "laws/collective_laws.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"

using namespace dualagent;

namespace {

std::string fresh_name() {
  static int count = 0;
  return "test-" + std::to_string(::getpid()) + "-" + std::to_string(count++);
}

/// Ranks as threads, each with a view of the memory of its own, as processes have.
template <class Body>
void run_shared(std::size_t ranks, const Body& body, const SharedMemoryOptions& options = {}) {
  const std::string name = fresh_name();
  detail::run_threads(
      ranks,
      [&](std::size_t rank) {
        SharedMemoryCollective collective(name, rank, ranks, options);
        try {
          body(collective);
        } catch (const std::exception& error) {
          collective.abort(error.what());
          throw;
        }
      },
      [](std::size_t, const std::string&) {});
}

constexpr SharedMemoryOptions kSmallSlots{.slot_bytes = 65536};

/// What rank_program.cpp does as so many processes, and what each of them writes.
struct Processes {
  LaunchOutcome outcome;
  std::vector<std::string> lines;
};
Processes run_processes(const std::string& what, std::size_t ranks) {
  Processes all{{}, std::vector<std::string>(ranks)};
  all.outcome = launch_ranks({DUALAGENT_RANK_PROGRAM, what},
                             {.ranks = ranks,
                              .grace_seconds = 60,
                              .on_line = [&](std::size_t rank, bool, std::string_view line) {
                                all.lines[rank] += std::string(line) + "\n";
                              }});
  return all;
}

/// What each of two ranks throws in `body`.
template <class Body>
std::vector<std::string> errors_of_two(const Body& body) {
  std::vector<std::string> errors(2);
  run_shared(2, [&](SharedMemoryCollective& collective) {
    errors[collective.rank()] = error_of([&] { body(collective); });
  });
  return errors;
}

}  // namespace

TEST_CASE("shared memory keeps the laws of a collective, on 1 to 4 ranks", "[collective][laws]") {
  for (std::size_t ranks = 1; ranks <= 4; ++ranks) {
    std::vector<std::vector<double>> sums(ranks);
    std::vector<std::string> faults(ranks);
    run_shared(ranks, [&](SharedMemoryCollective& collective) {
      const std::size_t rank = collective.rank();
      sums[rank] = laws::sums_of_rank(collective);
      faults[rank] = laws::faults_of_shards(collective) + laws::faults_of_started_sums(collective);
    });
    for (std::size_t rank = 0; rank < ranks; ++rank) {
      CHECK(sums[rank] == laws::expected_sums(ranks));
      CHECK(faults[rank] == "");
    }
  }
}

TEST_CASE("arrays of many chunks have the bits that threads find", "[collective][laws]") {
  // 65,536 bytes are 16,384 floats: from less than a slot to seven of them and a bit.
  for (const std::size_t ranks : {2u, 3u, 4u})
    for (const std::size_t size : {2047u, 2049u, 16384u, 16385u, 114690u}) {
      const auto all_of = [&](auto& collective) {
        const std::size_t rank = collective.rank();
        std::vector<float> sum(size), scattered, sent, started;
        for (std::size_t i = 0; i < size; ++i) sum[i] = laws::third(rank, i + i / 977);
        scattered = sent = started = sum;
        collective.all_reduce_sum(std::span(sum));
        collective.reduce_scatter_sum(std::span(scattered));
        collective.all_gather(std::span(scattered));
        collective.broadcast(std::span(sent), ranks - 1);
        collective.start_reduce_sum(std::span(started), 1).wait();
        sum.insert(sum.end(), scattered.begin(), scattered.end());
        sum.insert(sum.end(), sent.begin(), sent.end());
        sum.insert(sum.end(), started.begin(), started.end());
        return sum;
      };
      std::vector<std::vector<float>> shared(ranks), threads(ranks);
      run_shared(
          ranks, [&](auto& collective) { shared[collective.rank()] = all_of(collective); },
          kSmallSlots);
      run_ranks(ranks, [&](ThreadCollective collective) {
        threads[collective.rank()] = all_of(collective);
      });
      CHECK(shared == threads);
    }
}

TEST_CASE("processes of this host keep the laws, more of them than processors too",
          "[collective][laws]") {
  for (const std::size_t ranks : {1u, 2u, 4u, 9u}) {
    const Processes all = run_processes("laws", ranks);
    CHECK(all.outcome.status() == 0);
    CHECK(all.lines == std::vector<std::string>(ranks));
  }
}

TEST_CASE("a rank that is killed frees the others with an error that names it", "[collective]") {
  const Processes all = run_processes("one_dies", 4);
  CHECK(all.outcome.ranks[1].status == 128 + SIGKILL);
  const std::string named =
      "rank 1 (process " + std::to_string(all.outcome.ranks[1].process) + ") has died";
  for (const std::size_t rank : {0u, 2u, 3u}) {
    CHECK(all.outcome.ranks[rank].status == 3);
    CHECK_THAT(all.lines[rank], ContainsSubstring(named) && ContainsSubstring("last checkpoint"));
  }
}

TEST_CASE("a rank that an exception takes out of the group frees the others", "[collective]") {
  const Processes all = run_processes("one_throws", 3);
  CHECK_THAT(all.lines[1], ContainsSubstring("the disk is full"));
  for (const std::size_t rank : {0u, 2u})
    CHECK_THAT(all.lines[rank], ContainsSubstring("rank 1 has left the group"));
}

TEST_CASE("a rank that gives up frees the others with its reason", "[collective]") {
  std::string seen;
  const auto body = [&](SharedMemoryCollective& collective) {
    std::vector<float> values(10);
    collective.all_reduce_sum(std::span(values));  // both have joined
    if (collective.rank() == 1) throw std::runtime_error("the disk is full");
    seen = error_of([&] { collective.all_reduce_sum(std::span(values)); });
  };
  CHECK_THROWS_WITH(run_shared(2, body), ContainsSubstring("the disk is full"));
  CHECK_THAT(seen, ContainsSubstring("rank 1 gave up: the disk is full"));
}

TEST_CASE("shared arrays that do not agree are refused on every rank, and the group goes on",
          "[collective]") {
  const auto expect = [](const std::vector<std::string>& errors, const std::string& text) {
    for (const std::string& error : errors) CHECK_THAT(error, ContainsSubstring(text));
  };
  expect(errors_of_two([](SharedMemoryCollective& collective) {
           std::vector<float> values(10 + collective.rank());
           collective.all_reduce_sum(std::span(values));
         }),
         "rank 0 brings 10 floats to all_reduce_sum, rank 1 brings 11 floats to all_reduce_sum");
  expect(errors_of_two([](SharedMemoryCollective& collective) {
           std::vector<double> values(400'000);
           if (collective.rank() == 0)
             collective.all_gather(std::span(values));
           else
             collective.broadcast(std::span(values), 1);
         }),
         "rank 0 brings 400000 doubles to all_gather, rank 1 brings 400000 doubles to broadcast "
         "from rank 1");
  expect(errors_of_two([](SharedMemoryCollective& collective) {
           std::vector<float> values(3);
           collective.start_reduce_sum(std::span(values), collective.rank()).wait();
         }),
         "3 floats to reduce_sum on rank 0, rank 1 brings 3 floats to reduce_sum on rank 1");
  expect(errors_of_two([](SharedMemoryCollective& collective) {
           std::vector<float> values(50'000, 1.0F);
           const auto refused = [&](std::span<float> part) {
             return error_of([&] { collective.all_reduce_sum(part); }) != "no error";
           };
           const std::span all(values);
           if (!refused(all.first(collective.rank() == 0 ? 50'000 : 3))) throw Error("not refused");
           collective.all_reduce_sum(all);
           if (values[49'999] != 2.0F) throw Error("a wrong sum after a refusal");
         }),
         "no error");
}

TEST_CASE("a shared sum that is not waited for ends the group", "[collective]") {
  std::string seen;
  std::vector<float> dropped{1.0F};
  run_shared(2, [&](SharedMemoryCollective& collective) {
    if (collective.rank() == 0) {
      auto sum = collective.start_all_reduce_sum(std::span(dropped));
    } else {
      std::vector<float> values{1.0F, 2.0F};
      seen = error_of([&] {
        for (;;) collective.broadcast(std::span(values), 1);
      });
    }
  });
  // Either both find that they do not agree first, or rank 0 that it has dropped its sum.
  CHECK_THAT(seen, ContainsSubstring("ranks do not agree") || ContainsSubstring("rank 0 gave up"));
  CHECK(dropped[0] == 1.0F);
}

TEST_CASE("options and ranks of several hosts are refused", "[collective]") {
  CHECK_THAT(error_of([] { SharedMemoryCollective("n", 0, 1, {.slot_bytes = 100}); }),
             ContainsSubstring("slot_bytes is 100"));
  CHECK_THAT(error_of([] { SharedMemoryCollective("n", 0, 1, {.slot_bytes = 65537}); }),
             ContainsSubstring("multiple of 4096"));
  CHECK_THAT(error_of([] {
               SharedMemoryCollective(LaunchedRank{.size = 4, .local_size = 2, .run = "n"});
             }),
             ContainsSubstring("2 of 4 ranks are on this host"));
}
