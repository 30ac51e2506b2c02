#include "dualagent/collective/local.hpp"

#include "dualagent/collective/gradient_buckets.hpp"
#include "laws/collective_laws.hpp"
#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("a local collective is a group of one", "[collective][laws]") {
  LocalCollective collective;
  CHECK(collective.rank() == 0);
  CHECK(collective.size() == 1);
  CHECK(laws::sums_of_rank(collective) == laws::expected_sums(1));
  CHECK(laws::faults_of_shards(collective) == "");
  std::vector<double> values{1.5, 2.5};
  GradientBuckets(collective, std::span<double>(values), 1).finish();
  CHECK(values == std::vector<double>{1.5, 2.5});
}
