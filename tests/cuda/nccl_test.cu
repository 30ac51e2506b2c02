// NcclCollective on one GPU, or, on the emulator of tests/cuda/emulator, on 1 to 4 ranks.
//   bash tests/cuda/run.sh

#include <string>
#include <vector>

#include "dualagent/collective/gradient_buckets.hpp"
#include "dualagent/collective/threads.hpp"
#include "dualagent/cuda/nccl_collective.cuh"
#include "laws/collective_laws.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"

namespace gpu = dualagent::gpu;

namespace {

#if defined(DUALAGENT_EMULATED_RANKS)
constexpr std::size_t kMostRanks = 4;
#else
constexpr std::size_t kMostRanks = 1;
#endif

/// Sends bytes through the threads' collective, as MPI would.
auto by(dualagent::ThreadCollective& threads) {
  return dualagent::ByBroadcast{[&threads](std::byte* data, std::size_t size) {
    std::vector<float> numbers(size);
    for (std::size_t i = 0; i < size; ++i)
      numbers[i] = static_cast<float>(std::to_integer<int>(data[i]));
    threads.broadcast(std::span<float>(numbers), 0);
    for (std::size_t i = 0; i < size; ++i)
      data[i] = static_cast<std::byte>(static_cast<int>(numbers[i]));
  }};
}

}  // namespace

TEST_CASE("NCCL's ranks get the sum, and shards are gathered and sent", "[nccl][laws]") {
  for (std::size_t ranks = 1; ranks <= kMostRanks; ++ranks) {
    std::vector<std::vector<double>> sums(ranks);
    std::vector<std::string> faults(ranks);
    dualagent::run_ranks(ranks, [&](dualagent::ThreadCollective threads) {
      gpu::NcclCollective collective(threads.rank(), ranks, by(threads));
      sums[threads.rank()] = laws::sums_of_rank(collective);
      faults[threads.rank()] = laws::faults_of_shards(collective);
    });
    for (const auto& sum : sums) CHECK(sum == laws::expected_sums(ranks));
    for (const auto& fault : faults) CHECK(fault == "");
  }
}

TEST_CASE("gradients on the device are summed in buckets", "[nccl]") {
  for (std::size_t ranks = 1; ranks <= kMostRanks; ++ranks) {
    std::vector<std::vector<float>> results(ranks);
    dualagent::run_ranks(ranks, [&](dualagent::ThreadCollective threads) {
      gpu::NcclCollective collective(threads.rank(), ranks, by(threads));
      std::vector<float> values(1000);
      for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = static_cast<float>((threads.rank() + 1) * (i % 13));
      gpu::Buffer<float> gradients{std::span<const float>(values)};
      dualagent::GradientBuckets buckets(collective, gradients.span(), 64);
      buckets.ready(500, 1000);
      buckets.ready(0, 500);
      buckets.finish();
      results[threads.rank()] = gradients.download();
    });
    const auto factor = static_cast<float>(ranks * (ranks + 1) / 2);
    for (const auto& result : results)
      for (std::size_t i = 0; i < 1000; ++i)
        if (result[i] != factor * static_cast<float>(i % 13)) FAIL("element " << i);
  }
}

TEST_CASE("buckets of a gradient go to the ranks that own them", "[nccl]") {
  for (std::size_t ranks = 1; ranks <= kMostRanks; ++ranks) {
    std::vector<std::vector<float>> results(ranks);
    dualagent::run_ranks(ranks, [&](dualagent::ThreadCollective threads) {
      gpu::NcclCollective collective(threads.rank(), ranks, by(threads));
      std::vector<float> values(1000);
      for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = static_cast<float>((threads.rank() + 1) * (i % 13));
      gpu::Buffer<float> gradients{std::span<const float>(values)};
      dualagent::GradientBuckets<gpu::NcclCollective, gpu::DeviceSpan<float>,
                                 dualagent::SumForOwner>
          buckets(collective, gradients.span(), 64);
      buckets.ready(500, 1000);
      buckets.finish();
      results[threads.rank()] = gradients.download();
    });
    const auto factor = static_cast<float>(ranks * (ranks + 1) / 2);
    for (std::size_t rank = 0; rank < ranks; ++rank) {
      const dualagent::Shard own = dualagent::shard_of(1000, rank, ranks);
      for (std::size_t i = own.begin; i < own.end; ++i)
        if (results[rank][i] != factor * static_cast<float>(i % 13)) FAIL("element " << i);
    }
  }
}

TEST_CASE("a group of one needs no rendezvous, can be moved, and names what fails", "[nccl]") {
  gpu::NcclCollective first;
  gpu::NcclCollective collective = std::move(first);
  std::vector<double> values{1.5, -2.0};
  collective.all_reduce_sum(std::span<double>(values));
  CHECK(values == std::vector<double>{1.5, -2.0});
  CHECK_THAT(error_of([&] { collective.broadcast(std::span<double>(values), 3); }),
             ContainsSubstring("ncclBroadcast on rank 0 of 1"));
  CHECK_THAT(error_of([&] { collective.all_reduce_sum(std::span<double>(values)); }),
             ContainsSubstring("aborted"));
}
