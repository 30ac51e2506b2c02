#include "dualagent/collective/collective.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "dualagent/collective/local.hpp"
#include "support/catch.hpp"

using namespace dualagent;

namespace {

struct Sums {
  std::size_t rank() const { return 0; }
  std::size_t size() const { return 1; }
  void all_reduce_sum(std::span<float>) {}
  void all_reduce_sum(std::span<double>) {}
};
struct SumsOfFloat {
  std::size_t rank() const { return 0; }
  std::size_t size() const { return 1; }
  void all_reduce_sum(std::span<float>) {}
};
struct WithoutRank {
  std::size_t size() const { return 1; }
  void all_reduce_sum(std::span<float>) {}
  void all_reduce_sum(std::span<double>) {}
};
struct ScattersFloat : Sums {
  void reduce_scatter_sum(std::span<float>) {}
  void all_gather(std::span<float>) {}
  void broadcast(std::span<float>, std::size_t) {}
};

}  // namespace

TEST_CASE("a collective sums floats and doubles and knows its rank", "[collective]") {
  CHECK(Collective<Sums>);
  CHECK(Collective<LocalCollective>);
  CHECK_FALSE(Collective<SumsOfFloat>);
  CHECK_FALSE(Collective<WithoutRank>);
  CHECK_FALSE(Collective<int>);
  CHECK(check_collective<Sums>());
}

TEST_CASE("a sharding collective scatters, gathers and sends both types", "[collective]") {
  CHECK(ShardingCollective<LocalCollective>);
  CHECK_FALSE(ShardingCollective<Sums>);
  CHECK_FALSE(ShardingCollective<ScattersFloat>);
}

TEST_CASE("shards cover an array once and differ by one element at most", "[collective]") {
  CHECK(shard_of(7, 0, 2) == Shard{0, 3});
  CHECK(shard_of(7, 1, 2) == Shard{3, 7});
  CHECK(shard_of(0, 0, 3) == Shard{0, 0});
  CHECK(shard_of(5, 0, 1) == Shard{0, 5});
  for (std::size_t elements = 0; elements < 40; ++elements)
    for (std::size_t ranks = 1; ranks < 12; ++ranks) {
      std::size_t end = 0, smallest = elements, largest = 0;
      for (std::size_t rank = 0; rank < ranks; ++rank) {
        const Shard shard = shard_of(elements, rank, ranks);
        REQUIRE(shard.begin == end);
        REQUIRE(shard.size() == shard.end - shard.begin);
        end = shard.end;
        smallest = shard.size() < smallest ? shard.size() : smallest;
        largest = shard.size() > largest ? shard.size() : largest;
      }
      REQUIRE(end == elements);
      REQUIRE(largest - smallest <= 1);
    }
}

TEST_CASE("the shards of a model of 2^40 elements do not overflow", "[collective]") {
  constexpr std::size_t kElements = std::size_t{1} << 40;
  CHECK(shard_of(kElements, 1023, 1024) == Shard{kElements / 1024 * 1023, kElements});
}
