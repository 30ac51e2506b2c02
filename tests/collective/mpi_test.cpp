// collective/mpi.hpp is in mpi_rank_program.cpp: MPI wants processes of its own.

#include <cstddef>

#include "collective/mpi_processes.hpp"
#include "support/catch.hpp"

TEST_CASE("MPI's ranks keep the laws of a collective, in rank order", "[collective][laws]") {
  for (const std::size_t ranks : {1u, 2u, 4u}) {
    const MpiProcesses all = run_mpi("laws", ranks);
    CHECK(all.lines == "");
    CHECK(all.status == 0);
  }
}

TEST_CASE("mpirun ends all ranks when one is killed, and names it", "[collective]") {
  const MpiProcesses all = run_mpi("one_dies", 3);
  CHECK(all.status != 0);
  CHECK_THAT(all.lines, ContainsSubstring("rank 1") && ContainsSubstring("signal 9"));
}

TEST_CASE("a rank that throws ends all ranks of MPI", "[collective]") {
  const MpiProcesses all = run_mpi("one_throws", 3);
  CHECK(all.status != 0);
  CHECK_THAT(all.lines, ContainsSubstring("the disk is full"));
}
