#include "dualagent/collective/gradient_buckets.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "dualagent/collective/local.hpp"
#include "dualagent/collective/threads.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"

using namespace dualagent;

TEST_CASE("buckets do not change the sum", "[collective]") {
  for (const std::size_t bucket : {1u, 7u, 100u, 1000u}) {
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

namespace {

/// A collective that only notes what is started and waited for.
struct Recorder {
  std::vector<std::string> events;
  struct Handle {
    std::vector<std::string>* events;
    std::size_t size;
    void wait() { events->push_back("wait " + std::to_string(size)); }
  };
  Handle start_all_reduce_sum(std::span<float> values) {
    events.push_back("start " + std::to_string(values.size()));
    return {&events, values.size()};
  }
};

}  // namespace

TEST_CASE("a bucket is summed as soon as it and those behind it are whole", "[collective]") {
  Recorder recorder;
  std::vector<float> values(10);
  GradientBuckets buckets(recorder, std::span<float>(values), 4);  // [0,4) [4,8) [8,10)
  buckets.ready(5, 8);
  CHECK(recorder.events.empty());
  buckets.ready(8, 10);
  CHECK(recorder.events == std::vector<std::string>{"start 2"});
  buckets.ready(2, 5);
  CHECK(recorder.events == std::vector<std::string>{"start 2", "start 4"});
  CHECK_THAT(error_of([&] { buckets.finish(); }),
             ContainsSubstring("2 elements among [0, 4) were never announced"));
  CHECK_THAT(error_of([&] { buckets.ready(4, 5); }), ContainsSubstring("from 4 on"));
  CHECK_THAT(error_of([&] { buckets.ready(9, 11); }), ContainsSubstring("array of 10"));
  buckets.ready(0, 2);
  buckets.finish();
  CHECK(recorder.events ==
        std::vector<std::string>{"start 2", "start 4", "start 4", "wait 2", "wait 4", "wait 4"});
}

TEST_CASE("ranks may announce in any order of their own", "[collective]") {
  for (std::size_t ranks = 1; ranks <= 4; ++ranks) {
    std::vector<std::vector<float>> results(ranks), whole(ranks);
    run_ranks(ranks, [&](ThreadCollective collective) {
      std::vector<float> values(103);
      for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = static_cast<float>((collective.rank() + 1) * (i + 1)) / 3.0F;
      whole[collective.rank()] = values;
      collective.all_reduce_sum(std::span<float>(whole[collective.rank()]));
      GradientBuckets buckets(collective, std::span<float>(values), 10);
      const std::size_t stride = 7 + collective.rank();  // parts of this size, from the end
      for (std::size_t end = values.size(); end > 0; end -= std::min(end, stride))
        buckets.ready(end - std::min(end, stride), end);
      buckets.finish();
      results[collective.rank()] = values;
    });
    for (std::size_t rank = 0; rank < ranks; ++rank) CHECK(results[rank] == whole[0]);
  }
}

TEST_CASE("buckets of no element are refused", "[collective]") {
  LocalCollective collective;
  std::vector<float> values(3);
  CHECK_THAT(error_of([&] { GradientBuckets(collective, std::span<float>(values), 0); }),
             ContainsSubstring("bucket_elements is 0"));
}
