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
  ProcessResult communicate(std::string_view input, const std::stop_token& cancel = {}) {
    ProcessResult result;
    const bool ended = detail::ProcessIo(std::move(input_), std::move(output_), limits_)
                           .run(input, child_.pidfd.get(), cancel, result);
    const std::string command = launch_.argv.at(0);
    const std::optional<int> status = stop();
    if (!ended) return result;
    if (!status) detail::throw_status_lost(command);
    result.set_status(*status);
    // bwrap and shells report a signal N of their child as status 128 + N.
    if (launch_.reports_namespace && result.code > 128 && result.code < 128 + NSIG) {
      result.end = ProcessEnd::signalled;
      result.code -= 128;
    }
    return result;
  }

  /// With StandardInput::socket: the host's end of it, a socket of messages.
  int socket() const { return input_.get(); }
  /// Standard output and error, while `communicate` has not taken them.
  int output() const { return output_.get(); }

  /// Kills all of the sandbox, waits until it is gone and removes its folder; the wait status of
  /// the command, or none if it cannot be seen. Does nothing the second time.
  std::optional<int> stop() {
    std::optional<int> status;
    if (child_.pid > 0) {
      if (namespace_.get() >= 0) {
        syscall(SYS_pidfd_send_signal, namespace_.get(), SIGKILL, nullptr, 0);
        detail::wait_for_end(namespace_.get());  // after all processes of the namespace
        pollfd monitor{child_.pidfd.get(), POLLIN, 0};
        poll(&monitor, 1, 1000);  // bwrap reaps that process and ends
      }
      kill(-child_.pid, SIGKILL);
      kill(child_.pid, SIGKILL);
      status = detail::reap(std::exchange(child_.pid, -1));
      if (launch_.user) {
        detail::kill_user(*launch_.user);
        detail::forget_keys(*launch_.user);
      }
      if (!launch_.user && !launch_.marker.empty()) detail::kill_marked(launch_.marker);
    }
    input_.close();
    output_.close();
    if (!launch_.private_folder.empty())
      detail::remove_private_folder(std::exchange(launch_.private_folder, {}));
    launch_.user.reset();
    return status;
  }

 private:
  void start(StandardInput input) {
    detail::Pipe in, out, info;
    detail::SocketPair messages;
    if (input == StandardInput::socket) {
      in.read = std::move(messages.theirs);
      in.write = std::move(messages.ours);
    }
    detail::ChildPlan plan = plan_child();
    {
      // Numbers above 3, so that no dup2 in the child overwrites one that it still needs; closed
      // here before anything is read, so that a pipe ends when the child does.
      const detail::FileDescriptor ends[] = {high(in.read), high(out.write), high(info.write)};
      plan.descriptors = {ends[0].get(), ends[1].get(), ends[1].get(),
                          launch_.reports_namespace ? ends[2].get() : -1};
      child_ = detail::clone_child(&detail::run_child, &plan);
    }
    if (plan.error != 0)
      throw Error(std::string(plan.failed_step) + " failed: " + std::strerror(plan.error),
                  launch_.argv.at(0), "Check that the program exists and may be started");
    input_ = std::move(in.write);
    output_ = std::move(out.read);
    if (launch_.reports_namespace) open_namespace(info);
  }

  detail::ChildPlan plan_child() {
    detail::ChildPlan plan{.directory = launch_.directory.c_str(),
                           .limits = limits_,
                           .max_user_tasks = launch_.max_user_tasks,
                           .has_uid = launch_.user != nullptr,
                           .uid = launch_.user ? *launch_.user : 0,
                           .host = getpid()};
    for (std::string& word : launch_.argv) plan.argv.push_back(word.data());
    for (std::string& entry : launch_.environment) plan.environment.push_back(entry.data());
    plan.argv.push_back(nullptr);
    plan.environment.push_back(nullptr);
    return plan;
  }

  static detail::FileDescriptor high(const detail::FileDescriptor& fd) {
    const int copy = fcntl(fd.get(), F_DUPFD_CLOEXEC, 4);
    if (copy < 0) detail::throw_errno("fcntl", errno);
    return detail::FileDescriptor(copy);
  }

  /// Reads the pid of the namespace's first process, which bwrap writes as soon as it exists.
  void open_namespace(detail::Pipe& info) {
    info.write.close();
    std::string text;
    for (char byte = 0; text.find('}') == std::string::npos;) {
      const ssize_t count = read(info.read.get(), &byte, 1);
      if (count == 1) text += byte;
      if (count == 0 || (count < 0 && errno != EINTR)) return;  // bwrap says why on its output
    }
    constexpr std::string_view kKey = "\"child-pid\":";
    const std::size_t at = text.find(kKey);
    if (at == std::string::npos) return;
    const long pid = std::atol(text.c_str() + at + kKey.size());
    namespace_ = detail::FileDescriptor(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  }

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
inline bool bubblewrap_works(std::string* why = nullptr) {
  if (detail::child_statuses_are_lost()) {
    if (why != nullptr) *why = "this program ignores SIGCHLD: the trial's end cannot be seen";
    return false;
  }
  static const std::string problem = []() -> std::string {
    try {
      const ProcessResult trial = SandboxedCommand<Bubblewrap>{}({"/usr/bin/env", "true"});
      if (trial.end == ProcessEnd::exited && trial.code == 0) return {};
      return "bwrap failed: " + trial.output;
    } catch (const std::exception& error) {
      return error.what();
    }
  }();
  if (why != nullptr) *why = problem;
  return problem.empty();
}

}  // namespace dualagent
