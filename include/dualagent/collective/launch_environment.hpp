#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>

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
};

/// Value of an environment variable, or null.
using EnvironmentLookup = std::function<const char*(const char* name)>;

namespace detail {

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

inline LaunchedRank checked(LaunchedRank launched, const char* rank_name, const char* size_name) {
  if (launched.rank >= launched.size)
    throw Error("the rank " + std::to_string(launched.rank) + " (" + rank_name +
                    ") is not below the number of ranks " + std::to_string(launched.size) + " (" +
                    size_name + ")",
                "rank_from_environment");
  return launched;
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

}  // namespace detail

/// What torchrun (RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT) or SLURM's srun
/// (SLURM_PROCID, SLURM_NTASKS, SLURM_LOCALID, SLURM_LAUNCH_NODE_IPADDR) says; torchrun's words
/// win.
///
/// MASTER_ADDR and MASTER_PORT also serve under srun. The port is MASTER_PORT + 1.
/// Errors: Error that names the variable which is missing, is not a number or does not fit; Error
/// if neither launcher is there.
inline LaunchedRank rank_from_environment(const EnvironmentLookup& get = [](const char* name) {
  return static_cast<const char*>(std::getenv(name));
}) {
  const auto text = [&](const char* name) {
    const char* const value = get(name);
    return std::string(value == nullptr ? "" : value);
  };
  const std::uint16_t port = detail::rendezvous_port(get);
  if (get("RANK") != nullptr || get("WORLD_SIZE") != nullptr)
    return detail::checked(
        {detail::number_of_variable(get, "RANK"), detail::number_of_variable(get, "WORLD_SIZE"),
         detail::number_of_variable(get, "LOCAL_RANK"), text("MASTER_ADDR"), port},
        "RANK", "WORLD_SIZE");
  if (get("SLURM_PROCID") != nullptr || get("SLURM_NTASKS") != nullptr)
    return detail::checked(
        {detail::number_of_variable(get, "SLURM_PROCID"),
         detail::number_of_variable(get, "SLURM_NTASKS"),
         detail::number_of_variable(get, "SLURM_LOCALID"),
         get("MASTER_ADDR") != nullptr ? text("MASTER_ADDR") : text("SLURM_LAUNCH_NODE_IPADDR"),
         port},
        "SLURM_PROCID", "SLURM_NTASKS");
  throw Error("neither torchrun nor srun started this process", "rank_from_environment",
              "Start it with torchrun or srun, or set RANK, WORLD_SIZE and LOCAL_RANK");
}

}  // namespace dualagent
