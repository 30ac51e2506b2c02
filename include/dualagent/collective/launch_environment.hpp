#pragma once

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/number_text.hpp"

namespace dualagent {

/// A process among those that a launcher started, and where rank 0 can be met.
struct LaunchedRank {
  std::size_t rank = 0;
  std::size_t size = 1;
  std::size_t local_rank = 0;  ///< among those on this host: which GPU to take
  std::string address{};       ///< of rank 0's host; empty if the launcher does not say
  std::uint16_t port = 0;      ///< for a TcpRendezvous; 0 if the launcher does not say
  std::size_t local_size = 0;  ///< ranks on this host; 0 if the launcher does not say
  /// What the ranks of this start have in common and no other start on this host has, a name for
  /// shared memory; empty if the launcher does not say.
  std::string run{};
};

/// Value of an environment variable, or null.
using EnvironmentLookup = std::function<const char*(const char* name)>;

namespace detail {

/// The variables in which a launcher says what a process is; null: it has none for that.
struct LauncherWords {
  const char *rank, *size, *local_rank, *local_size;
};

bool speaks(const EnvironmentLookup& get, const LauncherWords& words);

/// Two launchers that started as many processes must have started the same ones.
void require_same(const EnvironmentLookup& get, const LauncherWords& inner,
                  const LauncherWords& outer);

}  // namespace detail

/// The value of a variable of this process, or null.
inline const char* variable_of_this_process(const char* name) { return std::getenv(name); }

/// Whether a launcher has started this process, see `rank_from_environment`.
bool is_launched(const EnvironmentLookup& get = variable_of_this_process);

/// What started this process says: torchrun or `launch_ranks` (RANK, WORLD_SIZE, LOCAL_RANK,
/// LOCAL_WORLD_SIZE, MASTER_ADDR, MASTER_PORT), Open MPI's mpirun (OMPI_COMM_WORLD_*), MPICH's and
/// Intel's (PMI_RANK, PMI_SIZE, MPI_LOCALRANKID, MPI_LOCALNRANKS) or SLURM's srun (SLURM_PROCID,
/// SLURM_NTASKS, SLURM_LOCALID, SLURM_LAUNCH_NODE_IPADDR); of several the first in this order.
///
/// MASTER_ADDR and MASTER_PORT also serve under the others. The port is MASTER_PORT + 1. `run` is
/// made of DUALAGENT_RUN and of what the launcher tells two starts apart by. Errors: Error that
/// names the variable which is missing, is not a number or does not fit; for torchrun's and
/// mpirun's ranks of one number of processes that differ; if no launcher is there, or `get` is
/// empty.
LaunchedRank rank_from_environment(const EnvironmentLookup& get = variable_of_this_process);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/collective/launch_environment.inl"
#endif
