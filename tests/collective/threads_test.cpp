#include "dualagent/collective/threads.hpp"

#include <atomic>
#include <stdexcept>
#include <string>
#include <vector>

#include "laws/collective_laws.hpp"
#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("every rank of a thread collective gets the sum", "[collective][laws]") {
  for (std::size_t ranks = 1; ranks <= 4; ++ranks) {
    std::vector<std::vector<double>> results(ranks);
    run_ranks(ranks, [&](ThreadCollective collective) {
      results[collective.rank()] = laws::sums_of_rank(collective);
    });
    for (const std::vector<double>& result : results) CHECK(result == laws::expected_sums(ranks));
  }
}

TEST_CASE("sums are added in the order of the ranks", "[collective]") {
  // (1e8f + 1) + -1e8f is 0 in float, any other order of these three gives 1.
  const float brought[] = {1e8F, 1.0F, -1e8F};
  for (int repeat = 0; repeat < 20; ++repeat)
    run_ranks(3, [&](ThreadCollective collective) {
      std::vector<float> values{brought[collective.rank()]};
      collective.all_reduce_sum(std::span<float>(values));
      if (values[0] != 0.0F) throw std::runtime_error("wrong order");
    });
  SUCCEED("no rank saw another order");
}

TEST_CASE("shards of a thread collective are the sum, and are gathered and sent",
          "[collective][laws]") {
  for (std::size_t ranks = 1; ranks <= 4; ++ranks) {
    std::vector<std::string> faults(ranks);
    run_ranks(ranks, [&](ThreadCollective collective) {
      faults[collective.rank()] = laws::faults_of_shards(collective);
    });
    for (const std::string& fault : faults) CHECK(fault == "");
  }
}

TEST_CASE("the ranks' shards follow one another", "[collective]") {
  CHECK(shard_of(7, 0, 2) == Shard{0, 3});
  CHECK(shard_of(7, 1, 2) == Shard{3, 7});
  CHECK(shard_of(2, 0, 3).size() + shard_of(2, 1, 3).size() + shard_of(2, 2, 3).size() == 2);
}

TEST_CASE("ranks that ask for different operations are refused", "[collective]") {
  std::vector<std::string> seen(2);
  run_ranks(2, [&](ThreadCollective collective) {
    std::vector<float> values(4);
    try {
      if (collective.rank() == 0)
        collective.all_gather(std::span<float>(values));
      else
        collective.broadcast(std::span<float>(values), 1);
    } catch (const Error& error) {
      seen[collective.rank()] = error.what();
    }
  });
  for (const std::string& error : seen)
    CHECK_THAT(error, ContainsSubstring("4 elements to all_gather") &&
                          ContainsSubstring("4 elements to broadcast from rank 1"));
}

TEST_CASE("a failing rank frees the waiting ones and its error is rethrown", "[collective]") {
  std::vector<std::string> seen(3);  // Catch2 assertions belong to one thread
  const auto body = [&](ThreadCollective collective) {
    if (collective.rank() == 1) throw std::runtime_error("the disk is full");
    std::vector<float> values(10);
    try {
      collective.all_reduce_sum(std::span<float>(values));
    } catch (const Error& error) {
      seen[collective.rank()] = error.what();
    }
  };
  CHECK_THROWS_WITH(run_ranks(3, body), ContainsSubstring("the disk is full"));
  for (const std::size_t rank : {0u, 2u})
    CHECK_THAT(seen[rank], ContainsSubstring("rank 1 gave up: the disk is full"));
}

TEST_CASE("arrays of different sizes are refused on every rank", "[collective]") {
  std::atomic<int> refused = 0;
  run_ranks(2, [&](ThreadCollective collective) {
    std::vector<float> values(10 + collective.rank());
    try {
      collective.all_reduce_sum(std::span<float>(values));
    } catch (const Error& error) {
      if (std::string(error.what()).find("rank 1 brings 11") != std::string::npos) ++refused;
    }
  });
  CHECK(refused == 2);
  CHECK_THROWS_WITH(ThreadCollective::group(0), ContainsSubstring("at least one rank"));
}
