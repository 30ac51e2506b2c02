#include "dualagent/collective/bucketed_all_reduce.hpp"

#include <span>
#include <vector>

#include "dualagent/collective/threads.hpp"
#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("buckets do not change the sum", "[collective]") {
  for (const std::size_t bucket : {1, 7, 100, 1000}) {
    std::vector<std::vector<float>> results(3);
    run_ranks(3, [&](ThreadCollective collective) {
      std::vector<float> values(100);
      for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = static_cast<float>(i * (collective.rank() + 1));
      bucketed_all_reduce(collective, std::span<float>(values), bucket);
      results[collective.rank()] = values;
    });
    for (std::size_t i = 0; i < 100; ++i) {
      const auto expected = static_cast<float>(6 * i);  // (1 + 2 + 3) i
      for (const std::vector<float>& result : results) CHECK(result[i] == expected);
    }
  }
}
