#include "dualagent/collective/threads.hpp"

#include <atomic>
#include <stdexcept>
#include <string>
#include <vector>

#include "laws/collective_laws.hpp"
#include "support/catch.hpp"
#include "support/wait_for.hpp"

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
}

TEST_CASE("numbers of ranks that no host can have are refused by their names", "[collective]") {
  for (const std::size_t ranks : {std::size_t{0}, std::size_t{1} << 40U, std::size_t{1} << 60U})
    CHECK_THROWS_WITH(ThreadCollective::group(ranks),
                      ContainsSubstring("ranks is " + std::to_string(ranks)));
  const auto never = [](ThreadCollective, ThreadCollective) { FAIL("nobody is there"); };
  CHECK_THROWS_WITH(run_ranks(MeshShape{.data = std::size_t{1} << 40U, .model = 1}, never),
                    ContainsSubstring("data is 1099511627776 (MeshShape)"));
  CHECK_THROWS_WITH(run_ranks(MeshShape{.data = 60000, .model = 2}, never),
                    ContainsSubstring("data * model is 120000 (MeshShape)"));
}

TEST_CASE("sums that are started have the bits of sums that are waited for at once",
          "[collective][laws]") {
  for (std::size_t ranks = 1; ranks <= 4; ++ranks) {
    std::vector<std::string> faults(ranks);
    run_ranks(ranks, [&](ThreadCollective collective) {
      faults[collective.rank()] = laws::faults_of_started_sums(collective);
    });
    for (const std::string& fault : faults) CHECK(fault == "");
  }
}

TEST_CASE("sums that are started are those of all ranks, in the order of the ranks",
          "[collective]") {
  const float brought[] = {1e8F, 1.0F, -1e8F};  // in any other order the sum is 1
  std::vector<std::vector<float>> results(3);
  run_ranks(3, [&](ThreadCollective collective) {
    const std::size_t rank = collective.rank();
    std::vector<float> all{brought[rank], static_cast<float>(rank)}, one = all, blocking = all;
    auto sum_of_all = collective.start_all_reduce_sum(std::span<float>(all));
    auto sum_of_one = collective.start_reduce_sum(std::span<float>(one), 1);
    collective.all_reduce_sum(std::span<float>(blocking));  // another order of its own
    sum_of_one.wait();
    sum_of_all.wait();
    results[rank] = {all[0], all[1], one[0], one[1], blocking[1]};
  });
  CHECK(results[0] == std::vector<float>{0.0F, 3.0F, 1e8F, 0.0F, 3.0F});
  CHECK(results[1] == std::vector<float>{0.0F, 3.0F, 0.0F, 3.0F, 3.0F});
  CHECK(results[2] == std::vector<float>{0.0F, 3.0F, -1e8F, 2.0F, 3.0F});
}

TEST_CASE("a sum that was started is there before its ranks wait", "[collective]") {
  Together started(2);
  run_ranks(2, [&](ThreadCollective collective) {
    std::vector<double> values{1.0};
    auto sum = collective.start_all_reduce_sum(std::span<double>(values));
    if (!started.arrive_and_wait()) throw std::runtime_error("a start has not returned");
    if (values[0] != 2.0) throw std::runtime_error("nothing was added up yet");
    sum.wait();
  });
  SUCCEED("both ranks saw the sum");
}

TEST_CASE("an array whose sum is not waited for is not written any more", "[collective]") {
  std::vector<std::string> seen(2);
  std::vector<float> values{1.0F};
  std::atomic<bool> withdrawn = false;
  CHECK_THROWS_WITH(run_ranks(2,
                              [&](ThreadCollective collective) {
                                if (collective.rank() == 0) {
                                  { auto sum = collective.start_all_reduce_sum(std::span(values)); }
                                  withdrawn = true;
                                  withdrawn.notify_all();
                                  throw std::runtime_error("the loss is NaN");
                                }
                                withdrawn.wait(false);
                                std::vector<float> own{2.0F};
                                auto sum = collective.start_all_reduce_sum(std::span(own));
                                sum.wait();
                              }),
                    ContainsSubstring("the loss is NaN"));
  CHECK(values[0] == 1.0F);
}

TEST_CASE("sums that do not agree are refused on every rank", "[collective]") {
  std::vector<std::string> seen(2);
  run_ranks(2, [&](ThreadCollective collective) {
    std::vector<float> values(3);
    auto sum = collective.start_reduce_sum(std::span<float>(values), collective.rank());
    try {
      sum.wait();
    } catch (const Error& error) {
      seen[collective.rank()] = error.what();
    }
  });
  for (const std::string& error : seen)
    CHECK_THAT(error, ContainsSubstring("3 elements to reduce_sum on rank 0") &&
                          ContainsSubstring("3 elements to reduce_sum on rank 1"));
}

TEST_CASE("the ranks of a mesh add up along each axis, and fail together", "[collective]") {
  // Rank (d, m) brings 10 d + m.
  std::vector<std::vector<double>> sums(6);
  run_ranks(MeshShape{.data = 3, .model = 2}, [&](ThreadCollective data, ThreadCollective model) {
    std::vector<double> along_data{10.0 * static_cast<double>(data.rank()) +
                                   static_cast<double>(model.rank())};
    std::vector<double> along_model = along_data;
    data.all_reduce_sum(std::span<double>(along_data));
    model.all_reduce_sum(std::span<double>(along_model));
    sums[2 * data.rank() + model.rank()] = {along_data[0], along_model[0]};
  });
  CHECK(sums ==
        std::vector<std::vector<double>>{{30, 1}, {33, 1}, {30, 21}, {33, 21}, {30, 41}, {33, 41}});
  CHECK_THROWS_WITH(run_ranks(MeshShape{.data = 2, .model = 2},
                              [&](ThreadCollective data, ThreadCollective model) {
                                if (data.rank() == 0 && model.rank() == 0)
                                  throw std::runtime_error("the disk is full");
                                std::vector<double> one{1.0};
                                data.all_reduce_sum(std::span<double>(one));
                                model.all_reduce_sum(std::span<double>(one));
                              }),
                    ContainsSubstring("the disk is full"));
}

TEST_CASE("a mesh without ranks is refused, not run by nobody", "[collective]") {
  const auto never = [](ThreadCollective, ThreadCollective) { FAIL("nobody is there"); };
  CHECK_THROWS_WITH(run_ranks(MeshShape{.data = 2, .model = 0}, never),
                    ContainsSubstring("model is 0 (MeshShape)"));
  CHECK_THROWS_WITH(run_ranks(MeshShape{.data = 0, .model = 2}, never),
                    ContainsSubstring("data is 0 (MeshShape)"));
}

TEST_CASE("where a rank's thread cannot be started the others end, and the reason is told",
          "[collective]") {
  std::vector<ThreadCollective> handles = ThreadCollective::group(4);
  std::atomic<int> freed = 0;
  int started = 0;
  CHECK_THROWS_WITH(
      detail::run_threads(
          4,
          [&](std::size_t rank) {
            std::vector<double> one{1.0};
            try {
              handles[rank].all_reduce_sum(std::span<double>(one));
            } catch (const Error&) {
              ++freed;
              throw;
            }
          },
          [&](std::size_t rank, const std::string& reason) { handles[rank].abort(reason); },
          [&](auto run) {
            if (started++ == 2) throw std::runtime_error("no more threads");
            return std::thread(std::move(run));
          }),
      ContainsSubstring("no more threads"));
  CHECK(freed == 2);
}
