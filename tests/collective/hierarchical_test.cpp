#include "dualagent/collective/hierarchical.hpp"

#include <optional>
#include <string>
#include <vector>

#include "dualagent/collective/threads.hpp"
#include "laws/collective_laws.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"

using namespace dualagent;

namespace {

using TwoFloors = Hierarchical<ThreadCollective, ThreadCollective>;

/// Runs `body(collective)` as a thread per rank of hosts of these sizes.
template <class Body>
void run_hosts(const std::vector<std::size_t>& sizes, const Body& body) {
  std::vector<ThreadCollective> leaders = ThreadCollective::group(sizes.size());
  std::vector<std::pair<ThreadCollective, std::optional<ThreadCollective>>> ranks;
  for (std::size_t host = 0; host < sizes.size(); ++host)
    for (ThreadCollective& local : ThreadCollective::group(sizes[host]))
      ranks.emplace_back(local, local.rank() == 0 ? std::optional(leaders[host]) : std::nullopt);
  detail::run_threads(
      ranks.size(),
      [&](std::size_t i) {
        TwoFloors collective(ranks[i].first, ranks[i].second);
        if (collective.rank() != i) throw Error("another rank", std::to_string(i));
        body(collective);
      },
      [&](std::size_t i, const std::string& reason) {
        ranks[i].first.abort(reason);
        if (ranks[i].second) ranks[i].second->abort(reason);
      });
}

}  // namespace

TEST_CASE("hosts of any numbers of ranks keep the laws of a collective", "[collective][laws]") {
  for (const std::vector<std::size_t>& sizes :
       {std::vector<std::size_t>{1}, {3}, {1, 1}, {2, 2}, {2, 1, 3}}) {
    std::size_t ranks = 0;
    for (const std::size_t size : sizes) ranks += size;
    std::vector<std::vector<double>> sums(ranks);
    std::vector<std::string> faults(ranks);
    run_hosts(sizes, [&](TwoFloors& collective) {
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

TEST_CASE("sums are made on each host first", "[collective]") {
  // In float, (1e8 + -1e8) + (1 + 1) is 2, and 1e8 + 1 is 1e8.
  const float brought[] = {1e8F, -1e8F, 1.0F, 1.0F};
  std::vector<float> sums(4);
  run_hosts({2, 2}, [&](TwoFloors& collective) {
    float value = brought[collective.rank()];
    collective.all_reduce_sum(std::span<float>(&value, 1));
    sums[collective.rank()] = value;
  });
  CHECK(sums == std::vector<float>(4, 2.0F));
  run_hosts({1, 2, 1}, [&](TwoFloors& collective) {  // 1e8 + (-1e8 + 1) + 1
    float value = brought[collective.rank()];
    collective.all_reduce_sum(std::span<float>(&value, 1));
    sums[collective.rank()] = value;
  });
  CHECK(sums == std::vector<float>(4, 1.0F));
}

TEST_CASE("only the first rank of a host brings the leaders' collective", "[collective]") {
  std::vector<ThreadCollective> host = ThreadCollective::group(2);
  const std::vector<ThreadCollective> leaders = ThreadCollective::group(1);
  CHECK_THAT(error_of([&] { TwoFloors(host[0], std::nullopt); }),
             ContainsSubstring("rank 0 of its host does not bring"));
  CHECK_THAT(error_of([&] { TwoFloors(host[1], leaders[0]); }),
             ContainsSubstring("rank 1 of its host brings"));
}
