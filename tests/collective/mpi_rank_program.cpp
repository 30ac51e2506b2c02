// A rank that mpirun starts for the tests of this folder: what it does is its first argument.
// Faults and errors go to standard error; the exit status is 0 if all is as it should be.

#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <span>
#include <string>
#include <vector>

#include "collective/gradient_sums.hpp"
#include "dualagent/collective/mpi.hpp"
#include "dualagent/collective/shared_memory_and_mpi.hpp"
#include "laws/collective_laws.hpp"

namespace da = dualagent;

namespace {

template <class C>
std::string faults_of(C collective) {
  std::string faults =
      laws::faults_of_shards(collective) + laws::faults_of_started_sums(collective);
  if (laws::sums_of_rank(collective) != laws::expected_sums(collective.size())) faults += "sums; ";
  return faults + faults_of_buckets(collective);
}

/// In float, added in rank order, 1e8 + 1 - 1e8 is 0; in any other order of these three it is 1.
std::string faults_of_order(da::MpiCollective mpi) {
  const float brought[] = {1e8F, 1.0F, -1e8F, 0.0F};
  std::vector<float> values(600'000, brought[mpi.rank()]);
  mpi.all_reduce_sum(std::span(values));
  for (const float value : values)
    if (mpi.size() > 2 && value != 0.0F) return "another order; ";
  return "";
}

std::string faults_of_disagreement(da::MpiCollective mpi) {
  std::vector<float> values(10 + mpi.rank());
  try {
    mpi.all_reduce_sum(std::span(values));
  } catch (const da::Error& error) {
    const std::string what = error.what();
    if (what.find("rank 0 brings 10 floats to all_reduce_sum") != std::string::npos &&
        what.find("rank 1 brings 11 floats") != std::string::npos)
      return "";
  }
  return mpi.size() == 1 ? "" : "arrays of different sizes are not refused; ";
}

int run(const std::string& what) {
  if (what == "laws") {
    da::MpiCollective mpi;
    std::string faults = faults_of(mpi) + faults_of_order(mpi) + faults_of_disagreement(mpi);
    std::fprintf(stderr, "%s", faults.c_str());
    return faults.empty() ? 0 : 1;
  }
  if (what == "hosts") {  // this host as one, and as hosts of two ranks and of one
    std::string faults;
    for (const std::size_t most : {0U, 2U, 1U})
      faults += faults_of(da::shared_memory_and_mpi(MPI_COMM_WORLD, most));
    std::fprintf(stderr, "%s", faults.c_str());
    return faults.empty() ? 0 : 1;
  }
  da::MpiCollective mpi;
  std::vector<float> values(300'000, 1.0F);
  for (int i = 0;; ++i) {
    if (i == 20 && mpi.rank() == 1 && what == "one_dies") ::kill(::getpid(), SIGKILL);
    if (i == 20 && mpi.rank() == 1 && what == "one_throws") throw da::Error("the disk is full");
    mpi.all_reduce_sum(std::span(values));
  }
}

}  // namespace

int main(int argc, char** argv) try {
  da::MpiSession session(argc, argv);
  try {
    return run(argc > 1 ? argv[1] : "");
  } catch (const da::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    throw;
  }
} catch (const da::Error&) {
  return 3;
}
