#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dualagent/core/error.hpp"
#include "dualagent/tools/sandbox.hpp"

namespace dualagent {

/// How a sandboxed command came to its end.
enum class ProcessEnd : std::uint8_t { exited, signalled, wall_clock, output_limit, cancelled };

/// What a sandboxed command did.
struct ProcessResult {
  ProcessEnd end = ProcessEnd::exited;
  int code = 0;        ///< exit status, or the number of the signal
  std::string output;  ///< standard output and error as they came; any bytes, cut at the limit
};

namespace detail {

/// A descriptor that closes itself.
class OwnedDescriptor {
 public:
  OwnedDescriptor() = default;
  explicit OwnedDescriptor(int fd) : fd_(fd) {}
  OwnedDescriptor(OwnedDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  OwnedDescriptor& operator=(OwnedDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~OwnedDescriptor() { reset(); }
  int get() const { return fd_; }
  void reset() {
    if (fd_ >= 0) close(std::exchange(fd_, -1));
  }

 private:
  int fd_ = -1;
};

[[noreturn]] inline void throw_errno(const std::string& what, int error) {
  throw Error(what + " failed: " + std::strerror(error), "sandboxed process");
}

struct Pipe {
  OwnedDescriptor read, write;
  Pipe() {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) throw_errno("pipe2", errno);
    read = OwnedDescriptor(ends[0]);
    write = OwnedDescriptor(ends[1]);
  }
};

/// All that the child needs, made before it exists: it shares the host's memory until exec and
/// may neither allocate nor lock.
struct ChildPlan {
  std::vector<char*> argv, environment;
  const char* directory = nullptr;
  SandboxLimits limits;
  std::uint64_t max_user_tasks = 0;
  bool has_uid = false;
  uid_t uid = 0;
  std::array<int, 4> descriptors{-1, -1, -1, -1};  // for 0 to 3 of the child; all above 3
  pid_t host = 0;
  int error = 0;  // errno of the step that failed
  const char* failed_step = "";
};

inline bool limit_child(const ChildPlan& plan) {
  const auto set = [](int resource, rlim_t soft, rlim_t hard) {
    rlimit own{};
    if (getrlimit(static_cast<__rlimit_resource>(resource), &own) != 0) return false;
    const rlimit wanted{std::min(soft, own.rlim_max), std::min(hard, own.rlim_max)};
    return setrlimit(static_cast<__rlimit_resource>(resource), &wanted) == 0;
  };
  const SandboxLimits& limits = plan.limits;
  const rlim_t tasks = plan.max_user_tasks;
  return set(RLIMIT_CPU, limits.cpu_seconds, limits.cpu_seconds + 1) &&
         set(RLIMIT_AS, limits.memory_bytes, limits.memory_bytes) &&
         set(RLIMIT_FSIZE, limits.file_bytes, limits.file_bytes) && set(RLIMIT_CORE, 0, 0) &&
         set(RLIMIT_NOFILE, 256, 256) && set(RLIMIT_STACK, 8u << 20, 8u << 20) &&
         (tasks == 0 || set(RLIMIT_NPROC, tasks, tasks));
}

inline bool drop_user(const ChildPlan& plan) {
  // System calls, because glibc's wrappers would change the user of the host's threads as well.
  return !plan.has_uid || (syscall(SYS_setgroups, 0, nullptr) == 0 &&
                           syscall(SYS_setresgid, plan.uid, plan.uid, plan.uid) == 0 &&
                           syscall(SYS_setresuid, plan.uid, plan.uid, plan.uid) == 0);
}

inline void default_signals() {
  for (int number = 1; number < NSIG; ++number) {
    struct sigaction action {};
    action.sa_handler = SIG_DFL;
    sigaction(number, &action, nullptr);  // some cannot be changed: nothing to do
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

inline bool place_descriptors(const ChildPlan& plan) {
  for (int i = 0; i < 4; ++i) {
    const int from = plan.descriptors[static_cast<std::size_t>(i)];
    if (from >= 0 && dup2(from, i) < 0) return false;
  }
  const unsigned first = plan.descriptors[3] >= 0 ? 4 : 3;
  return syscall(SYS_close_range, first, ~0u, 0) == 0;
}

/// The child from clone to exec: only system calls.
inline int run_child(void* pointer) {
  auto& plan = *static_cast<ChildPlan*>(pointer);
  const auto step = [&](const char* name, bool done) {
    if (done) return;
    plan.error = errno;
    plan.failed_step = name;
    _exit(127);
  };
  default_signals();
  step("setsid", setsid() >= 0);
  step("dup2 or close_range", place_descriptors(plan));
  step("setrlimit", limit_child(plan));
  step("setresuid", drop_user(plan));
  step("chdir", chdir(plan.directory) == 0);
  step("prctl", prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0 &&
                    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  step("host", getppid() == plan.host);
  step("execve", execve(plan.argv[0], plan.argv.data(), plan.environment.data()) == 0);
  return 127;
}

struct ChildProcess {
  pid_t pid = -1;
  OwnedDescriptor pidfd;
};

/// Runs `function(argument)` in a child that shares this memory until it execs or ends, as
/// posix_spawn does: the host's page tables are not copied and its other threads go on.
inline ChildProcess clone_child(int (*function)(void*), void* argument) {
  constexpr std::size_t kStackBytes = 64u << 10;
  const auto stack = std::make_unique<std::byte[]>(kStackBytes);
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // no handler of the host runs in the child
  int pidfd = -1;
  const pid_t pid = clone(function, stack.get() + kStackBytes,
                          CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, argument, &pidfd);
  const int error = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) throw_errno("clone", error);
  return {pid, OwnedDescriptor(pidfd)};
}

inline int reap(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

/// Waits until the process of a pidfd has ended.
inline void wait_for_end(int pidfd) {
  pollfd wait{pidfd, POLLIN, 0};
  while (poll(&wait, 1, -1) < 0 && errno == EINTR) {
  }
}

/// Whether a process of this user runs; one that has ended and waits for init to reap it does not.
inline bool user_runs(uid_t uid) {
  DIR* folder = opendir("/proc");
  if (folder == nullptr) return false;
  bool runs = false;
  while (const dirent* entry = readdir(folder)) {
    if (runs || entry->d_name[0] < '0' || entry->d_name[0] > '9') continue;
    std::ifstream lines(std::string("/proc/") + entry->d_name + "/status");
    bool ended = false, same = false;
    for (std::string line; std::getline(lines, line);) {
      ended |= line.starts_with("State:\tZ") || line.starts_with("State:\tX");
      same |= line.starts_with("Uid:\t" + std::to_string(uid) + "\t");
    }
    runs = same && !ended;
  }
  closedir(folder);
  return runs;
}

/// Kills every process of a user and waits until they have ended: one pass of the kernel over the
/// process table, which a fork cannot slip through. Only for user ids that belong to one sandbox.
inline void kill_user(uid_t uid) {
  const ChildProcess killer = clone_child(
      [](void* pointer) {
        const uid_t user = *static_cast<uid_t*>(pointer);
        const bool became = syscall(SYS_setresuid, user, user, user) == 0;
        _exit(became && kill(-1, SIGKILL) == 0 ? 1 : 0);  // 1: there was one
        return 0;
      },
      &uid);
  if (WEXITSTATUS(reap(killer.pid)) == 0) return;
  while (user_runs(uid)) usleep(1000);
}

/// Kills the processes whose environment has `marker`, until a walk through /proc finds none.
inline void kill_marked(const std::string& marker) {
  for (bool found = true; found;) {
    found = false;
    DIR* folder = opendir("/proc");
    if (folder == nullptr) return;
    while (const dirent* entry = readdir(folder)) {
      if (entry->d_name[0] < '0' || entry->d_name[0] > '9') continue;
      std::ifstream file(std::string("/proc/") + entry->d_name + "/environ");
      for (std::string variable; std::getline(file, variable, '\0');)
        if (variable == marker)
          found |= kill(static_cast<pid_t>(std::atol(entry->d_name)), SIGKILL) == 0;
    }
    closedir(folder);
  }
}

/// While it lives, this thread's writes to a closed pipe fail with EPIPE and raise no signal.
class NoPipeSignal {
 public:
  NoPipeSignal() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  NoPipeSignal(const NoPipeSignal&) = delete;
  NoPipeSignal& operator=(const NoPipeSignal&) = delete;
  ~NoPipeSignal() {
    const timespec now{};
    while (!was_pending_ && sigtimedwait(&pipe_, nullptr, &now) < 0 && errno == EINTR) {
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

 private:
  sigset_t pipe_{}, before_{};
  bool was_pending_ = false;
};

/// Removes a tree that its owner may have made unreadable; never follows a link.
inline void remove_private_folder(const std::string& folder) {
  namespace fs = std::filesystem;
  std::error_code error;
  fs::remove_all(folder, error);
  for (int round = 0; error && round < 64; ++round) {  // folders without permission, outer first
    std::error_code ignored;
    fs::permissions(folder, fs::perms::owner_all, ignored);
    for (fs::recursive_directory_iterator
             entry(folder, fs::directory_options::skip_permission_denied, ignored),
         end;
         !ignored && entry != end; entry.increment(ignored))
      if (entry->symlink_status(ignored).type() == fs::file_type::directory)
        fs::permissions(entry->path(), fs::perms::owner_all, ignored);
    fs::remove_all(folder, error);
  }
}

}  // namespace detail

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
  SandboxedProcess(SandboxLaunch launch, const SandboxLimits& limits)
      : launch_(std::move(launch)), limits_(limits) {
    try {
      start();
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
  /// called once. A stop request kills the command.
  ProcessResult communicate(std::string_view input, std::stop_token cancel = {}) {
    const detail::NoPipeSignal quiet;
    const detail::OwnedDescriptor wake(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (wake.get() < 0) detail::throw_errno("eventfd", errno);
    const std::stop_callback on_cancel(cancel, [&] { eventfd_write(wake.get(), 1); });
    ProcessResult result;
    const bool ended = talk(input, wake.get(), result);
    const int status = stop();
    if (!ended) return result;
    result.end = WIFSIGNALED(status) ? ProcessEnd::signalled : ProcessEnd::exited;
    result.code = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
    // bwrap and shells report a signal N of their child as status 128 + N.
    if (launch_.reports_namespace && result.code > 128 && result.code < 128 + NSIG) {
      result.end = ProcessEnd::signalled;
      result.code -= 128;
    }
    return result;
  }

 private:
  using Clock = std::chrono::steady_clock;

  void start() {
    detail::Pipe in, out, info;
    detail::ChildPlan plan{.directory = launch_.directory.c_str(),
                           .limits = limits_,
                           .max_user_tasks = launch_.max_user_tasks,
                           .has_uid = launch_.uid.has_value(),
                           .uid = launch_.uid.value_or(0),
                           .host = getpid()};
    for (std::string& word : launch_.argv) plan.argv.push_back(word.data());
    for (std::string& entry : launch_.environment) plan.environment.push_back(entry.data());
    plan.argv.push_back(nullptr);
    plan.environment.push_back(nullptr);
    // Numbers above 3, so that no dup2 in the child overwrites one that it still needs.
    const detail::OwnedDescriptor ends[] = {high(in.read), high(out.write), high(info.write)};
    plan.descriptors = {ends[0].get(), ends[1].get(), ends[1].get(),
                        launch_.reports_namespace ? ends[2].get() : -1};
    child_ = detail::clone_child(&detail::run_child, &plan);
    if (plan.error != 0)
      throw Error(std::string(plan.failed_step) + " failed: " + std::strerror(plan.error),
                  launch_.argv.at(0), "Check that the program exists and may be started");
    input_ = std::move(in.write);
    output_ = std::move(out.read);
    for (const int fd : {input_.get(), output_.get()}) fcntl(fd, F_SETFL, O_NONBLOCK);
    if (launch_.reports_namespace) open_namespace(info);
  }

  static detail::OwnedDescriptor high(const detail::OwnedDescriptor& fd) {
    const int copy = fcntl(fd.get(), F_DUPFD_CLOEXEC, 4);
    if (copy < 0) detail::throw_errno("fcntl", errno);
    return detail::OwnedDescriptor(copy);
  }

  /// Reads the pid of the namespace's first process, which bwrap writes as soon as it exists.
  void open_namespace(detail::Pipe& info) {
    info.write.reset();
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
    namespace_ = detail::OwnedDescriptor(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  }

  /// Moves bytes until the command ends (true) or must be killed (false; result.end says why).
  bool talk(std::string_view input, int wake, ProcessResult& result) {
    const auto deadline = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                             std::chrono::duration<double>(limits_.wall_seconds));
    for (;;) {
      write_input(input);
      if (!read_output(result)) return false;
      const auto left = deadline - Clock::now();
      const auto fail = [&](ProcessEnd end) {
        result.end = end;
        return false;
      };
      if (left <= Clock::duration::zero()) return fail(ProcessEnd::wall_clock);
      std::array<pollfd, 4> wait{{{child_.pidfd.get(), POLLIN, 0},
                                  {wake, POLLIN, 0},
                                  {output_.get(), POLLIN, 0},
                                  {input_.get(), POLLOUT, 0}}};
      const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(left).count();
      poll(wait.data(), wait.size(), static_cast<int>(std::min<long long>(milliseconds, 60'000)));
      if (wait[1].revents != 0) return fail(ProcessEnd::cancelled);
      if (wait[0].revents != 0) return read_output(result);
    }
  }

  /// Takes what the pipe holds; closes it at its end. False if that exceeds the limit.
  bool read_output(ProcessResult& result) {
    std::array<char, 16384> bytes;
    while (output_.get() >= 0) {
      const ssize_t count = read(output_.get(), bytes.data(), bytes.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0 && errno == EAGAIN) return true;
      if (count <= 0) output_.reset();
      if (count <= 0) return true;
      const std::size_t room = limits_.output_bytes - result.output.size();
      result.output.append(bytes.data(), std::min(room, static_cast<std::size_t>(count)));
      if (static_cast<std::size_t>(count) > room) {
        result.end = ProcessEnd::output_limit;
        return false;
      }
    }
    return true;
  }

  /// Writes what the pipe takes; closes it after the last byte or when nobody reads it.
  void write_input(std::string_view& input) {
    while (input_.get() >= 0 && !input.empty()) {
      const ssize_t count = write(input_.get(), input.data(), input.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0 && errno == EAGAIN) return;
      input.remove_prefix(count < 0 ? input.size() : static_cast<std::size_t>(count));
    }
    input_.reset();
  }

  /// Kills all of the sandbox, waits until it is gone and removes its folder; the wait status of
  /// the command. Does nothing the second time.
  int stop() {
    int status = 0;
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
      if (launch_.uid) detail::kill_user(*launch_.uid);
      if (!launch_.uid && !launch_.marker.empty()) detail::kill_marked(launch_.marker);
    }
    input_.reset();
    output_.reset();
    if (!launch_.private_folder.empty())
      detail::remove_private_folder(std::exchange(launch_.private_folder, {}));
    return status;
  }

  SandboxLaunch launch_;
  SandboxLimits limits_;
  detail::ChildProcess child_;
  detail::OwnedDescriptor input_, output_, namespace_;
};

/// Runs commands in a sandbox, each in one of its own; safe from several threads at once.
/// Example: SandboxedCommand<>{}({"/usr/bin/sort"}, "b\na\n").output == "a\nb\n"
template <Sandbox S = Bubblewrap>
class SandboxedCommand {
  static_assert(check_sandbox<S>());

 public:
  explicit SandboxedCommand(S sandbox = {}) : sandbox_(std::move(sandbox)) {}

  /// Runs `command` (a program of the system folders or an absolute path, and its arguments) with
  /// `input` on standard input. Errors: Error if it cannot be started.
  ProcessResult operator()(const std::vector<std::string>& command, std::string_view input = {},
                           std::stop_token cancel = {}) const {
    if (command.empty()) throw Error("the command is empty", "SandboxedCommand");
    return SandboxedProcess(sandbox_.launch(command), sandbox_.limits).communicate(input, cancel);
  }

 private:
  S sandbox_;
};

/// Whether Bubblewrap works on this machine: true if a trial command runs in it. The first call
/// tries, the others remember. `why` receives the reason if it does not.
inline bool bubblewrap_works(std::string* why = nullptr) {
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
