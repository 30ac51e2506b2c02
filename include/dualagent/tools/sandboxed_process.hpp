#pragma once

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dualagent/core/check.hpp"
#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/tools/child_process.hpp"
#include "dualagent/tools/process_io.hpp"
#include "dualagent/tools/sandbox.hpp"

namespace dualagent {

/// What a sandboxed process gets as standard input.
enum class StandardInput : std::uint8_t { pipe, socket };

/// One command in its sandbox: started by the constructor, talked to once, and killed with all it
/// started by the destructor at the latest.
///
/// Descriptors: the child has 0, 1 and 2 only. What of the host leaks by chance is closed too.
/// The command dies with the host, and with the thread that made it if that ends first.
/// After a kill nothing is left under Bubblewrap (its process namespace has ended before `stop`
/// returns) and under Rlimits of a root host (every process of the sandbox's own user id is
/// killed). Under Rlimits of another user the process group and the processes that still have the
/// marker in their first environment are killed; one that left its group and started a program
/// with a new environment escapes.
/// Errors: Error if the command cannot be started.
class SandboxedProcess {
 public:
  SandboxedProcess(SandboxLaunch launch, const SandboxLimits& limits,
                   StandardInput input = StandardInput::pipe)
      : launch_(std::move(launch)), limits_(limits) {
    try {
      start(input);
    } catch (...) {
      stop();
      throw;
    }
  }
  SandboxedProcess(const SandboxedProcess&) = delete;
  SandboxedProcess& operator=(const SandboxedProcess&) = delete;
  ~SandboxedProcess() { stop(); }

  /// Writes `input` to standard input, closes it, and reads output and errors until the command
  /// ends or breaks a limit; then kills what it left behind. The wall clock starts here. To be
  /// called once, with StandardInput::pipe. A stop request kills the command.
  /// Errors: Error if the command ended by itself, but how cannot be seen, because this program
  /// ignores SIGCHLD or reaps every child.
  ProcessResult communicate(std::string_view input, const std::stop_token& cancel = {});

  /// With StandardInput::socket: the host's end of it, a socket of messages.
  int socket() const { return input_.get(); }
  /// Standard output and error, while `communicate` has not taken them.
  int output() const { return output_.get(); }

  /// Kills all of the sandbox, waits until it is gone and removes its folder; the wait status of
  /// the command, or none if it cannot be seen. Does nothing the second time.
  std::optional<int> stop();

 private:
  void start(StandardInput input);

  detail::ChildPlan plan_child();

  static detail::FileDescriptor high(const detail::FileDescriptor& fd);

  /// Reads the pid of the namespace's first process, which bwrap writes as soon as it exists.
  void open_namespace(detail::Pipe& info);

  SandboxLaunch launch_;
  SandboxLimits limits_;
  detail::ChildProcess child_;
  detail::FileDescriptor input_, output_, namespace_;
};

/// Runs commands in a sandbox, each in one of its own; safe from several threads at once.
/// Example: SandboxedCommand<>{}({"/usr/bin/sort"}, "b\na\n").output == "a\nb\n"
template <class S = Bubblewrap>
class SandboxedCommand {
  static_assert(check_sandbox<S>());

 public:
  /// Errors: Error for a limit that cannot be meant.
  explicit SandboxedCommand(S sandbox = {}) : sandbox_(std::move(sandbox)) {
    sandbox_.limits.validate();
  }

  /// Runs `command` (a program of the system folders or an absolute path, and its arguments) with
  /// `input` on standard input. Errors: Error if it cannot be started, or before it is started if
  /// this program ignores SIGCHLD, so that nobody could see how it ends.
  ProcessResult operator()(const std::vector<std::string>& command, std::string_view input = {},
                           const std::stop_token& cancel = {}) const {
    if (command.empty()) throw Error("the command is empty", "SandboxedCommand");
    if (detail::child_statuses_are_lost()) detail::throw_status_lost(command[0]);
    return SandboxedProcess(sandbox_.launch(command, SandboxRole::command), sandbox_.limits)
        .communicate(input, cancel);
  }

 private:
  S sandbox_;
};

/// Whether Bubblewrap works on this machine: true if a trial command runs in it. The first call
/// tries, the others remember. `why` receives the reason if it does not. False, and not
/// remembered, while this program ignores SIGCHLD.
bool bubblewrap_works(std::string* why = nullptr);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/tools/sandboxed_process.inl"
#endif
