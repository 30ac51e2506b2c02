#pragma once

#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dualagent/collective/launched_process.hpp"
#include "dualagent/collective/rendezvous.hpp"
#include "dualagent/collective/tcp_rendezvous.hpp"
#include "dualagent/core/check.hpp"
#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/io/atomic_file.hpp"

namespace dualagent {

/// How `launch_ranks` starts and ends ranks.
struct LaunchOptions {
  std::size_t ranks = 1;
  /// Once a rank has failed: for the others to end by themselves, then again after SIGTERM; then
  /// comes SIGKILL.
  double grace_seconds = 10;
  std::size_t last_lines = 5;  ///< of a rank's output that are kept for the report
  /// Gets each line that a rank writes; standard error or standard output. Empty: the line is
  /// passed on to the same stream of this process, with "[RANK] " before it.
  std::function<void(std::size_t rank, bool is_error, std::string_view line)> on_line{};

  void validate() const;
};

/// How a rank ended.
using RankEnd = LaunchedEnd;

/// How all ranks ended.
struct LaunchOutcome {
  std::vector<RankEnd> ranks;
  std::optional<std::size_t> first_failed;  ///< the rank that did not end with status 0 first

  /// 0, or the status of the rank that failed first.
  int status() const { return first_failed ? ranks[*first_failed].status : 0; }
  /// A line for each rank, the one that failed first on top, and the last words of those that
  /// failed.
  std::string text() const;
};

/// Starts `command` (a program and its arguments) as `options.ranks` processes on this host and
/// waits for them.
///
/// Each finds RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE, MASTER_ADDR, MASTER_PORT and a fresh
/// DUALAGENT_RUN in its environment: what `rank_from_environment` reads. It has no standard input
/// and a process group of its own, and is told to end (SIGTERM) if this process dies. SIGINT,
/// SIGTERM and SIGHUP of this process are passed on to all. Once a rank has failed, see
/// LaunchOptions::grace_seconds. Call it from the main thread of a program that has no other.
/// Errors: Error if processes cannot be made; a program that cannot be run is a rank that ends with
/// status 127. Example: launch_ranks({"./trainer", "--steps", "20"}, {.ranks = 2}).status()
LaunchOutcome launch_ranks(const std::vector<std::string>& command, const LaunchOptions& options);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/collective/launcher.inl"
#endif
