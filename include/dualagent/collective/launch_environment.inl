#pragma once

/// Definitions of launch_environment.hpp; see core/compiled.hpp.

#include "dualagent/collective/launch_environment.hpp"
#include "dualagent/core/check.hpp"

namespace dualagent::detail {

// Innermost first: torchrun and launch_ranks may run under mpirun, and all of them in a job of
// SLURM.
inline constexpr LauncherWords kTorchrun{"RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"};

inline constexpr LauncherWords kOpenMpi{"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE",
                                        "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE"};

inline constexpr LauncherWords kHydra{"PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS"};

inline constexpr LauncherWords kSlurm{"SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID", nullptr};

inline std::string text_of_variable(const EnvironmentLookup& get, const char* name) {
  const char* const text = get(name);
  return text == nullptr ? "" : text;
}

/// A whole number from the variable `name`. Errors: Error that names it.
inline std::size_t number_of_variable(const EnvironmentLookup& get, const char* name) {
  const char* const text = get(name);
  if (text == nullptr)
    throw Error("the variable " + std::string(name) + " is not set", "rank_from_environment",
                "The launcher sets either all of its variables or none");
  const std::optional<std::size_t> value = parse_number<std::size_t>(text);
  if (!value)
    throw Error("the variable " + std::string(name) + " is '" + text + "', not a whole number",
                "rank_from_environment");
  return *value;
}

inline void require_below(std::size_t small, const char* small_name, std::size_t large,
                          const char* large_name, std::size_t margin) {
  if (small + margin <= large) return;
  throw Error("the variable " + std::string(small_name) + " is " + std::to_string(small) + ", " +
                  large_name + " is " + std::to_string(large),
              "rank_from_environment", "Ranks are numbered from 0 below their number");
}

DUALAGENT_INLINE bool speaks(const EnvironmentLookup& get, const LauncherWords& words) {
  return get(words.rank) != nullptr || get(words.size) != nullptr;
}

/// Rank and numbers of ranks, which fit each other.
inline LaunchedRank read_words(const EnvironmentLookup& get, const LauncherWords& words) {
  LaunchedRank me;
  me.rank = number_of_variable(get, words.rank);
  me.size = number_of_variable(get, words.size);
  me.local_rank = number_of_variable(get, words.local_rank);
  require_below(me.rank, words.rank, me.size, words.size, 1);
  require_below(me.local_rank, words.local_rank, me.size, words.size, 1);
  if (words.local_size != nullptr && get(words.local_size) != nullptr) {
    me.local_size = number_of_variable(get, words.local_size);
    require_below(me.local_rank, words.local_rank, me.local_size, words.local_size, 1);
    require_below(me.local_size, words.local_size, me.size, words.size, 0);
  }
  return me;
}

DUALAGENT_INLINE void require_same(const EnvironmentLookup& get, const LauncherWords& inner,
                                   const LauncherWords& outer) {
  if (!speaks(get, outer)) return;
  const LaunchedRank one = read_words(get, inner), other = read_words(get, outer);
  if (one.size != other.size || one.rank == other.rank) return;
  throw Error("the variable " + std::string(inner.rank) + " is " + std::to_string(one.rank) + ", " +
                  outer.rank + " is " + std::to_string(other.rank) + ", each of " +
                  std::to_string(one.size),
              "rank_from_environment",
              "Unset those of the launcher that did not start this process");
}

/// MASTER_PORT + 1: torchrun itself may hold MASTER_PORT. 0 without the variable.
inline std::uint16_t rendezvous_port(const EnvironmentLookup& get) {
  if (get("MASTER_PORT") == nullptr) return 0;
  const std::size_t port = number_of_variable(get, "MASTER_PORT");
  if (port == 0 || port >= 65535)
    throw Error("the variable MASTER_PORT is " + std::to_string(port), "rank_from_environment",
                "Give a port from 1 to 65534; the one after it is used");
  return static_cast<std::uint16_t>(port + 1);
}

/// DUALAGENT_RUN and the variables `names`, as far as they are set, with hyphens between them and
/// for what a name cannot have.
inline std::string name_of_run(const EnvironmentLookup& get,
                               std::initializer_list<const char*> names) {
  std::string name = text_of_variable(get, "DUALAGENT_RUN");
  for (const char* const one : names)
    if (get(one) != nullptr) name += (name.empty() ? "" : "-") + text_of_variable(get, one);
  for (char& c : name)
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '.' && c != '_') c = '-';
  return name.substr(0, 200);
}

/// This node's number in SLURM's list of tasks per node, e.g. "2(x3),1"; 0 without it.
inline std::size_t slurm_local_size(const EnvironmentLookup& get) {
  const std::string list = text_of_variable(get, "SLURM_STEP_TASKS_PER_NODE");
  if (list.empty() || get("SLURM_NODEID") == nullptr) return 0;
  std::size_t node = number_of_variable(get, "SLURM_NODEID");
  for (std::size_t begin = 0; begin < list.size();) {
    const std::size_t end = std::min(list.find(',', begin), list.size());
    const std::string part = list.substr(begin, end - begin);
    const std::size_t times_at = part.find("(x");
    const auto tasks = parse_number<std::size_t>(part.substr(0, times_at));
    const auto nodes =
        times_at == std::string::npos || part.back() != ')'
            ? std::optional<std::size_t>(1)
            : parse_number<std::size_t>(part.substr(times_at + 2, part.size() - times_at - 3));
    if (!tasks || !nodes) break;
    if (node < *nodes) return *tasks;
    node -= *nodes;
    begin = end + 1;
  }
  throw Error("the variable SLURM_STEP_TASKS_PER_NODE is '" + list + "', SLURM_NODEID is " +
                  text_of_variable(get, "SLURM_NODEID"),
              "rank_from_environment");
}

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE bool is_launched(const EnvironmentLookup& get) {
  using namespace detail;
  require_function(get, "get", "is_launched");
  return speaks(get, kTorchrun) || speaks(get, kOpenMpi) || speaks(get, kHydra) ||
         speaks(get, kSlurm);
}

DUALAGENT_INLINE LaunchedRank rank_from_environment(const EnvironmentLookup& get) {
  using namespace detail;
  require_function(get, "get", "rank_from_environment");
  const auto launched = [&](const LauncherWords& words, std::initializer_list<const char*> run) {
    LaunchedRank me = read_words(get, words);
    me.address = text_of_variable(get, "MASTER_ADDR");
    me.port = rendezvous_port(get);
    me.run = name_of_run(get, run);
    return me;
  };
  rendezvous_port(get);
  if (speaks(get, kTorchrun)) {
    for (const LauncherWords& outer : {kOpenMpi, kHydra}) require_same(get, kTorchrun, outer);
    return launched(kTorchrun,
                    {"MASTER_PORT", "TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT"});
  }
  if (speaks(get, kOpenMpi)) return launched(kOpenMpi, {"OMPI_MCA_ess_base_jobid"});
  if (speaks(get, kHydra)) return launched(kHydra, {});
  if (speaks(get, kSlurm)) {
    LaunchedRank me = launched(kSlurm, {"SLURM_JOB_ID", "SLURM_STEP_ID", "SLURM_RESTART_COUNT"});
    if (get("MASTER_ADDR") == nullptr)
      me.address = text_of_variable(get, "SLURM_LAUNCH_NODE_IPADDR");
    me.local_size = slurm_local_size(get);
    return me;
  }
  throw Error("no launcher started this process", "rank_from_environment",
              "Start it with launch_ranks, torchrun, mpirun or srun, or set RANK, WORLD_SIZE and "
              "LOCAL_RANK");
}

}  // namespace dualagent
