#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "dualagent/collective/hierarchical.hpp"
#include "dualagent/collective/mpi.hpp"
#include "dualagent/collective/shared_memory.hpp"

namespace dualagent {

/// Ranks of any number of hosts: those of a host by shared memory, the hosts' leaders by MPI.
using SharedMemoryAndMpi = Hierarchical<SharedMemoryCollective, MpiCollective>;

/// Groups the ranks of a communicator by host; all of them call it. Their numbers within the result
/// are host by host, which need not be MPI's. At most `most_per_host` ranks share memory, the next
/// ones count as another host (0: no bound). Errors: as for the two collectives.
/// Example: MpiSession session(argc, argv);
///          SharedMemoryAndMpi collective = shared_memory_and_mpi();
inline SharedMemoryAndMpi shared_memory_and_mpi(MPI_Comm ranks = MPI_COMM_WORLD,
                                                std::size_t most_per_host = 0,
                                                const SharedMemoryOptions& options = {}) {
  const auto rank_of = [](MPI_Comm group) {
    int rank = 0;
    MPI_Comm_rank(group, &rank);
    return rank;
  };
  const auto split = [&](MPI_Comm group, int part) {
    MPI_Comm made = MPI_COMM_NULL;
    detail::check_mpi(MPI_Comm_split(group, part, rank_of(group), &made), "MPI_Comm_split");
    return made;
  };
  MPI_Comm host = MPI_COMM_NULL;
  detail::check_mpi(
      MPI_Comm_split_type(ranks, MPI_COMM_TYPE_SHARED, rank_of(ranks), MPI_INFO_NULL, &host),
      "MPI_Comm_split_type");
  if (most_per_host > 0) {
    const MPI_Comm part = split(host, rank_of(host) / static_cast<int>(most_per_host));
    MPI_Comm_free(&host);
    host = part;
  }
  int size = 1;
  MPI_Comm_size(host, &size);
  const int rank = rank_of(host);
  char name[64] = {};
  if (rank == 0) std::snprintf(name, sizeof name, "mpi-%s", detail::fresh_word().c_str());
  detail::check_mpi(MPI_Bcast(name, sizeof name, MPI_CHAR, 0, host), "MPI_Bcast");
  MPI_Comm leaders = split(ranks, rank == 0 ? 0 : 1);
  std::optional<MpiCollective> among;
  if (rank == 0) among.emplace(leaders);
  MPI_Comm_free(&leaders);
  MPI_Comm_free(&host);
  return {SharedMemoryCollective(name, static_cast<std::size_t>(rank),
                                 static_cast<std::size_t>(size), options),
          std::move(among)};
}

}  // namespace dualagent
