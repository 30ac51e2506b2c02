// All-reduce of floats over the processes that mpirun starts on one host: ours, MPI's own and what
// memory allows, side by side in one run. Checks the sums, then times them.
//   mpirun -n 2 build/release/benchmarks/all_reduce_bench [--repeats 21]

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "dualagent/collective/launch_environment.hpp"
#include "dualagent/collective/mpi.hpp"
#include "dualagent/collective/shared_memory.hpp"
#include "options.hpp"

namespace da = dualagent;

namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// What an all-reduce cannot do without: every rank reads its array and writes it once.
void rewrite(std::span<float> values) {
  for (float& value : values) value += 1.0F;
  asm volatile("" : : "r"(values.data()) : "memory");
}

/// Median over `repeats` rounds of each side's seconds in the slowest rank. The sides take turns,
/// so that what else the machine does meets all of them.
template <class... Sides>
std::vector<double> median_seconds(std::size_t repeats, const Sides&... sides) {
  std::vector<std::vector<double>> seconds(sizeof...(Sides));
  for (std::size_t round = 0; round < repeats + 2; ++round) {
    std::size_t side = 0;
    const auto time = [&](const auto& body) {
      MPI_Barrier(MPI_COMM_WORLD);
      const double begin = now();
      body();
      double mine = now() - begin, slowest = 0;
      MPI_Allreduce(&mine, &slowest, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
      if (round >= 2) seconds[side].push_back(slowest);
      ++side;
    };
    (time(sides), ...);
  }
  std::vector<double> medians;
  for (std::vector<double>& one : seconds) {
    std::sort(one.begin(), one.end());
    medians.push_back(one[one.size() / 2]);
  }
  return medians;
}

void check(std::span<const float> values, std::size_t ranks, const char* side) {
  const auto expected = static_cast<float>(ranks * (ranks + 1) / 2);
  for (const float value : values)
    if (value != expected)
      throw da::Error(std::string(side) + " finds " + std::to_string(value) + ", not " +
                      std::to_string(expected));
}

}  // namespace

int main(int argc, char** argv) {
  da::MpiSession session(argc, argv);
  try {
    const bench::Options options(argc, argv);
    const std::size_t repeats = options.number("--repeats", 21);
    da::MpiCollective mpi;
    da::SharedMemoryCollective shared(
        da::rank_from_environment(),
        {.slot_bytes = options.number("--slot-bytes", da::SharedMemoryOptions{}.slot_bytes)});
    const std::size_t rank = shared.rank(), ranks = shared.size();
    if (rank == 0)
      std::printf(
          "%zu ranks; milliseconds\n\n| MiB | shared memory | MPI_Allreduce | MpiCollective | "
          "read and write once | shared memory over MPI_Allreduce |\n|---|---|---|---|---|---|\n",
          ranks);
    for (const std::size_t mib : {1U, 4U, 16U, 64U}) {
      std::vector<float> values(mib << 18U);
      const auto fill = [&] {
        std::fill(values.begin(), values.end(), static_cast<float>(rank + 1));
      };
      const auto by_mpi = [&] {
        MPI_Allreduce(MPI_IN_PLACE, values.data(), static_cast<int>(values.size()), MPI_FLOAT,
                      MPI_SUM, MPI_COMM_WORLD);
      };
      const auto by_shared = [&] { shared.all_reduce_sum(std::span(values)); };
      const auto by_ours_on_mpi = [&] { mpi.all_reduce_sum(std::span(values)); };
      fill(), by_shared(), check(values, ranks, "shared memory");
      fill(), by_mpi(), check(values, ranks, "MPI_Allreduce");
      fill(), by_ours_on_mpi(), check(values, ranks, "MpiCollective");
      std::fill(values.begin(), values.end(), 0.0F);  // sums of zeros stay zeros
      const std::vector<double> seconds = median_seconds(
          repeats, by_shared, by_mpi, by_ours_on_mpi, [&] { rewrite(values); },
          [&] { std::fill(values.begin(), values.end(), 0.0F); });
      if (rank == 0)
        std::printf("| %zu | %.3f | %.3f | %.3f | %.3f | %.2f |\n", mib, 1e3 * seconds[0],
                    1e3 * seconds[1], 1e3 * seconds[2], 1e3 * seconds[3], seconds[1] / seconds[0]);
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    throw;
  }
}
