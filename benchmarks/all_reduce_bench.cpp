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
  for (float& value : values) value *= 0.5F;
  asm volatile("" : : "r"(values.data()) : "memory");
}

/// A way to sum an array of each rank.
template <class Body>
struct Side {
  std::span<float> array;
  Body sum;
};

/// Median over `repeats` rounds of each side's seconds in the slowest rank. The sides take turns,
/// so that what else the machine does meets all of them; before each sum every rank has written its
/// array, as a backward pass does.
template <class... Sides>
std::vector<double> median_seconds(std::size_t repeats, const Sides&... sides) {
  std::vector<std::vector<double>> seconds(sizeof...(Sides));
  for (std::size_t round = 0; round < repeats + 2; ++round) {
    std::size_t side = 0;
    const auto time = [&](const auto& one) {
      rewrite(one.array);
      MPI_Barrier(MPI_COMM_WORLD);
      const double begin = now();
      one.sum();
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
        {.slot_bytes = options.number("--slot-bytes", da::SharedMemoryOptions{}.slot_bytes),
         .array_bytes = std::size_t{128} << 20});
    const std::size_t rank = shared.rank(), ranks = shared.size();
    if (rank == 0)
      std::printf(
          "%zu ranks; milliseconds\n\n| MiB | in place | through buffers | MPI_Allreduce | "
          "MpiCollective | read and write once | MPI_Allreduce / in place |\n"
          "|---|---|---|---|---|---|---|\n",
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
      da::AlignedVector<float> shared_values(mib << 18U);
      const auto in_place = [&] { shared.all_reduce_sum(std::span<float>(shared_values)); };
      const auto by_shared = [&] { shared.all_reduce_sum(std::span(values)); };
      const auto by_ours_on_mpi = [&] { mpi.all_reduce_sum(std::span(values)); };
      fill(), by_shared(), check(values, ranks, "shared memory");
      std::fill(shared_values.begin(), shared_values.end(), static_cast<float>(rank + 1));
      in_place(), check(shared_values, ranks, "shared memory in place");
      fill(), by_mpi(), check(values, ranks, "MPI_Allreduce");
      fill(), by_ours_on_mpi(), check(values, ranks, "MpiCollective");
      std::fill(values.begin(), values.end(), 0.0F);  // sums of zeros stay zeros
      std::fill(shared_values.begin(), shared_values.end(), 0.0F);
      const std::span<float> own(values), shared_ones(shared_values);
      const std::vector<double> seconds = median_seconds(
          repeats, Side{shared_ones, in_place}, Side{own, by_shared}, Side{own, by_mpi},
          Side{own, by_ours_on_mpi}, Side{own, [&] { rewrite(own); }});
      if (rank == 0)
        std::printf("| %zu | %.3f | %.3f | %.3f | %.3f | %.3f | %.1f |\n", mib, 1e3 * seconds[0],
                    1e3 * seconds[1], 1e3 * seconds[2], 1e3 * seconds[3], 1e3 * seconds[4],
                    seconds[2] / seconds[0]);
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    throw;
  }
}
