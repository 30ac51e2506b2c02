// collective/shared_memory_and_mpi.hpp is in mpi_rank_program.cpp: MPI wants processes of its own.

#include <cstddef>

#include "collective/mpi_processes.hpp"
#include "support/catch.hpp"

TEST_CASE("shared memory within hosts and MPI between them keep the laws of a collective",
          "[collective][laws]") {
  for (const std::size_t ranks : {1u, 3u}) {
    const MpiProcesses all = run_mpi("hosts", ranks);
    CHECK(all.lines == "");
    CHECK(all.status == 0);
  }
}
