// A rank of the tests of this folder: what it does is its first argument. Faults and errors go to
// standard error; the exit status is 0 if all is as it should be, 3 if the collective threw.

#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <span>
#include <string>
#include <vector>

#include "collective/gradient_sums.hpp"
#include "dualagent/collective/launch_environment.hpp"
#include "dualagent/collective/shared_memory.hpp"
#include "laws/collective_laws.hpp"

namespace da = dualagent;

namespace {

int laws_hold(da::SharedMemoryCollective& collective) {
  std::string faults =
      laws::faults_of_shards(collective) + laws::faults_of_started_sums(collective);
  if (laws::sums_of_rank(collective) != laws::expected_sums(collective.size())) faults += "sums";
  faults += faults_of_buckets(collective);
  std::fprintf(stderr, "%s", faults.c_str());
  return faults.empty() ? 0 : 1;
}

/// The same operations on arrays in place and on arrays that travel: what differs.
template <class Vector>
std::vector<float> all_operations(da::detail::SharedMemoryRank& rank, Vector& array) {
  std::vector<float> results;
  const std::size_t root = rank.group().size() - 1;
  const auto run = [&](const auto& operation) {
    for (std::size_t i = 0; i < array.size(); ++i)
      array[i] = laws::third(rank.group().rank(), i + i / 977);
    operation(std::span<float>(array.data(), array.size()));
    results.insert(results.end(), array.begin(), array.end());
  };
  run([&](std::span<float> values) { rank.all_reduce_sum(values); });
  run([&](std::span<float> values) {
    rank.reduce_scatter_sum(values);
    rank.all_gather(values);
  });
  run([&](std::span<float> values) { rank.broadcast(values, root); });
  run([&](std::span<float> values) { rank.reduce_sum(values, root); });
  return results;
}
int in_place(const da::LaunchedRank& me) {
  constexpr std::size_t kElements = 700'001;
  da::detail::SharedMemoryRank rank(me.run, me.rank, me.size, {65536, std::size_t{16} << 20}, 60);
  std::vector<float> travels(kElements);
  da::AlignedVector<float> in_place(kElements);
  const auto is_in_place = [&](const auto& array) {
    return rank.group().place_of(array.data(), array.size() * sizeof(float)) != 0;
  };
  std::string faults;
  if (!is_in_place(in_place) || is_in_place(travels)) faults += "arrays are elsewhere; ";
  const std::vector<float> expected = all_operations(rank, travels);
  if (all_operations(rank, in_place) != expected) faults += "other bits in place; ";
  // Where one rank's array must travel, all do.
  const std::vector<float> mixed =
      me.rank == 0 ? all_operations(rank, travels) : all_operations(rank, in_place);
  if (mixed != expected) faults += "other bits where arrays are mixed; ";
  std::fprintf(stderr, "%s", faults.c_str());
  return faults.empty() ? 0 : 1;
}

/// Sums for ever; rank 1 dies in the hundredth.
int one_dies(da::SharedMemoryCollective& collective) {
  std::vector<float> values(300'000, 1.0F);
  for (int i = 0;; ++i) {
    if (i == 100 && collective.rank() == 1) ::kill(::getpid(), SIGKILL);
    collective.all_reduce_sum(std::span(values));
  }
}

/// Rank 1 throws what nobody catches in the collective's scope.
int one_throws(da::SharedMemoryCollective& collective) {
  std::vector<float> values(10, 1.0F);
  if (collective.rank() == 1) throw da::Error("the disk is full");
  for (;;) collective.all_reduce_sum(std::span(values));
}

int run(const std::string& what) {
  if (what == "status") {  // 10 + rank
    const da::LaunchedRank me = da::rank_from_environment();
    std::printf("rank %zu of %zu\n", me.rank, me.size);
    return static_cast<int>(10 + me.rank);
  }
  if (what == "wait") {
    std::printf("waiting\n");
    std::fflush(stdout);
    for (;;) ::pause();
  }
  const da::LaunchedRank me = da::rank_from_environment();
  if (what == "one_fails" && me.rank == 1) return 7;
  if (what == "one_fails") return run("wait");
  if (what == "in_place") return in_place(me);
  da::SharedMemoryCollective collective(me);
  if (what == "laws") return laws_hold(collective);
  if (what == "one_dies") return one_dies(collective);
  if (what == "one_throws") return one_throws(collective);
  std::fprintf(stderr, "nothing is called '%s'\n", what.c_str());
  return 2;
}

}  // namespace

int main(int argc, char** argv) try {
  return run(argc > 1 ? argv[1] : "");
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 3;
}
