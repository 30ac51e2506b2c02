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
#include "dualagent/core/check.hpp"
#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"

namespace dualagent {

/// One of several programs that work together and each of which can be started again.
struct SupervisedProgram {
  std::string name{};                  ///< for people
  std::vector<std::string> command{};  ///< a program and its arguments
  /// Whether it serves the others and has no end of its own: it is told to end (SIGTERM) once all
  /// the others have ended.
  bool serves = false;
};

/// How `supervise` keeps programs running.
struct SupervisorOptions {
  std::size_t max_restarts = 20;  ///< of one program; one that dies once more ends all
  /// The status with which a program asks to be started again, e.g. since another one that it needs
  /// has moved to another host: that does not count as a death. 1 to 255.
  std::optional<int> again_status{};
  double restart_seconds = 0.2;  ///< between a death and the next start
  double grace_seconds = 30;     ///< for programs that were told to end; then comes SIGKILL
  std::size_t last_lines = 5;    ///< of a program's output that are kept for the report
  /// Gets each line that a program writes; standard error or standard output. Empty: it is passed
  /// on to the same stream of this process, with "[NAME] " before it.
  std::function<void(std::size_t program, bool is_error, std::string_view line)> on_line{};
  /// A program has died and is about to be started again, for the `restarts`-th time.
  std::function<void(std::size_t program, const LaunchedEnd& end, std::size_t restarts)>
      on_restart{};

  void validate() const;
};

/// How a supervised program ended, the last time.
struct SupervisedEnd {
  std::string name{};
  std::size_t restarts = 0;
  LaunchedEnd end{};
};

/// How all of them ended.
struct SupervisorOutcome {
  std::vector<SupervisedEnd> programs;
  std::optional<std::size_t> gave_up{};  ///< the program that died too often
  bool interrupted = false;              ///< whether this process was told to end

  /// 0 where all work is done; 130 after a signal; 1 where a program died too often.
  int status() const { return gave_up ? 1 : interrupted ? 130 : 0; }
  /// A line for each program; of one that died too often its last words, too.
  std::string text() const;
};

/// Starts programs on this host and starts again whichever dies: by a signal, with another status
/// than 0 or, one that serves, at all. Returns once every program that does not serve has ended
/// with status 0 and those that serve have been told to end. What ends with `again_status` is
/// started again as often as it asks.
///
/// Each program has no standard input and a process group of its own, and is told to end (SIGTERM)
/// if this process dies. On SIGINT, SIGTERM and SIGHUP nothing is started any more: the signal is
/// passed on to the programs that do not serve, and once these have ended, to those that serve.
/// Call it from the main thread of a program that has no other. Errors: Error if processes cannot
/// be made, and for no programs. Example:
///   supervise({{"store", {"./jobs", "--role", "store"}, true}, {"learner", {"./jobs"}}}).status()
SupervisorOutcome supervise(const std::vector<SupervisedProgram>& programs,
                            const SupervisorOptions& options = {});

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/collective/supervisor.inl"
#endif
