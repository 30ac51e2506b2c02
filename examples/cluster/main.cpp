// The quickstart's pair on ranks of several hosts: shared memory on each host, MPI among the hosts.
// job.sbatch starts it under SLURM; mpirun does, too. docs/ranks.md explains it.

#include <cstdio>
#include <exception>

#include "dualagent/collective/shared_memory_and_mpi.hpp"
#include "ranks/pair.hpp"
namespace da = dualagent;

int main(int argc, char** argv) {
  const da::MpiSession session(argc, argv);
  try {
    return train(ranks_example::Options(argc, argv), da::shared_memory_and_mpi());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    MPI_Abort(MPI_COMM_WORLD, 1);
  }
}
