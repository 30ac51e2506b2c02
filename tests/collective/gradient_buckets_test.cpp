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
      GradientBuckets(collective, std::span<float>(values), bucket).finish();
      results[collective.rank()] = values;
    });
    for (std::size_t i = 0; i < 100; ++i) {
      const auto expected = static_cast<float>(6 * i);  // (1 + 2 + 3) i
      for (const std::vector<float>& result : results) CHECK(result[i] == expected);
    }
  }
}

namespace {

/// Rank 1 of 2, that only notes what is started, summed and waited for.
struct Recorder {
  static constexpr std::size_t rank() { return 1; }
  static constexpr std::size_t size() { return 2; }
  const float* array;  // the whole
  std::vector<std::string> events;

  std::string text(std::span<float> part) const {
    const auto begin = static_cast<std::size_t>(part.data() - array);
    return "[" + std::to_string(begin) + ", " + std::to_string(begin + part.size()) + ")";
  }
};
struct Handle {
  std::vector<std::string>* events;
  std::string part;
  void wait() { events->push_back("wait " + part); }
};
struct Starter : Recorder {
  Handle start_all_reduce_sum(std::span<float> part) {
    events.push_back("start " + text(part));
    return {&events, text(part)};
  }
  Handle start_reduce_sum(std::span<float> part, std::size_t root) {
    events.push_back("start " + text(part) + " for " + std::to_string(root));
    return {&events, text(part)};
  }
};
struct Waiter : Recorder {
  void all_reduce_sum(std::span<float> part) { events.push_back("sum " + text(part)); }
  void reduce_scatter_sum(std::span<float> part) { events.push_back("scatter " + text(part)); }
};
using Events = std::vector<std::string>;

}  // namespace

TEST_CASE("a bucket is started as soon as it and those behind it are whole", "[collective]") {
  std::vector<float> values(10);
  Starter starter{{values.data(), {}}};
  GradientBuckets buckets(starter, std::span<float>(values), 4);  // [0, 4) [4, 8) [8, 10)
  buckets.ready(5, 8);
  CHECK(starter.events.empty());
  buckets.ready(8, 10);
  CHECK(starter.events == Events{"start [8, 10)"});
  buckets.ready(2, 5);
  CHECK(starter.events == Events{"start [8, 10)", "start [4, 8)"});
  CHECK_THAT(error_of([&] { buckets.ready(4, 5); }), ContainsSubstring("from 4 on"));
  CHECK_THAT(error_of([&] { buckets.ready(9, 11); }), ContainsSubstring("array of 10"));
  buckets.finish();  // the rest is ready, too
  CHECK(starter.events == Events{"start [8, 10)", "start [4, 8)", "start [0, 4)", "wait [8, 10)",
                                 "wait [4, 8)", "wait [0, 4)"});
  CHECK_THAT(error_of([&] { buckets.ready(0, 1); }), ContainsSubstring("from 0 on"));
}

TEST_CASE("buckets for owners end where shards do and go to the rank that owns them",
          "[collective]") {
  std::vector<float> values(11);  // shards [0, 5) and [5, 11)
  Starter starter{{values.data(), {}}};
  GradientBuckets<Starter, std::span<float>, SumForOwner> buckets(starter, values, 4);
  buckets.ready(3, 11);
  CHECK(starter.events ==
        Events{"start [9, 11) for 1", "start [5, 9) for 1", "start [4, 5) for 0"});
  buckets.finish();
  CHECK(starter.events[3] == "start [0, 4) for 0");
  CHECK(starter.events.size() == 8);
}

TEST_CASE("a collective that cannot start sums is called at the end alone", "[collective]") {
  std::vector<float> values(11);
  Waiter all{{values.data(), {}}}, owners = all;
  GradientBuckets for_all(all, std::span<float>(values), 8);
  GradientBuckets<Waiter, std::span<float>, SumForOwner> for_owners(owners, values, 8);
  for_all.ready(0, 11);
  for_owners.ready(0, 11);
  CHECK((all.events.empty() && owners.events.empty()));
  for_all.finish();
  for_owners.finish();
  CHECK(all.events == Events{"sum [8, 11)", "sum [0, 8)"});
  CHECK(owners.events == Events{"scatter [0, 11)"});
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

TEST_CASE("an owner's buckets have the bits of a sum for all", "[collective]") {
  for (std::size_t ranks = 1; ranks <= 4; ++ranks) {
    std::vector<std::vector<float>> results(ranks), whole(ranks);
    run_ranks(ranks, [&](ThreadCollective collective) {
      std::vector<float> values(103);
      for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = static_cast<float>((collective.rank() + 1) * (i + 1)) / 3.0F;
      whole[collective.rank()] = values;
      collective.all_reduce_sum(std::span<float>(whole[collective.rank()]));
      GradientBuckets<ThreadCollective, std::span<float>, SumForOwner> buckets(collective, values,
                                                                               7);
      buckets.ready(50 + collective.rank(), 103);
      buckets.finish();
      results[collective.rank()] = values;
    });
    for (std::size_t rank = 0; rank < ranks; ++rank) {
      const Shard own = shard_of(103, rank, ranks);
      for (std::size_t i = own.begin; i < own.end; ++i) CHECK(results[rank][i] == whole[0][i]);
    }
  }
}

TEST_CASE("buckets of no element are refused", "[collective]") {
  LocalCollective collective;
  std::vector<float> values(3);
  GradientBuckets(collective, std::span<float>(values)).ready(1, 2);
  CHECK_THAT(error_of([&] { GradientBuckets(collective, std::span<float>(values), 0); }),
             ContainsSubstring("bucket_elements is 0"));
}
