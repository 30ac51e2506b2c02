#pragma once

#include <stdlib.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "dualagent/collective/launcher.hpp"

/// What mpirun makes of mpi_rank_program.cpp.
struct MpiProcesses {
  int status = 0;     // of mpirun
  std::string lines;  // of mpirun and all ranks
};
inline MpiProcesses run_mpi(const std::string& what, std::size_t ranks) {
  // Open MPI: more ranks than processors, and root's; others ignore it.
  for (const char* const name : {"OMPI_MCA_rmaps_base_oversubscribe", "OMPI_ALLOW_RUN_AS_ROOT",
                                 "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"})
    ::setenv(name, "1", 1);
  ::setenv("PRTE_MCA_rmaps_default_mapping_policy", ":oversubscribe", 1);  // Open MPI 5
  // Containers may forbid copies between processes, of which Open MPI 4 then complains.
  ::setenv("OMPI_MCA_btl_vader_single_copy_mechanism", "none", 1);
  MpiProcesses all;
  all.status =
      dualagent::launch_ranks(
          {DUALAGENT_MPIEXEC, "-n", std::to_string(ranks), DUALAGENT_MPI_RANK_PROGRAM, what},
          {.ranks = 1,
           .on_line = [&](std::size_t, bool,
                          std::string_view line) { all.lines += std::string(line) + "\n"; }})
          .status();
  return all;
}
