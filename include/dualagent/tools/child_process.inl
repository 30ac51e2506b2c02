#pragma once

/// Definitions of child_process.hpp; see core/compiled.hpp.

#include "dualagent/tools/child_process.hpp"

namespace dualagent::detail {

DUALAGENT_INLINE void throw_errno(const std::string& what, int error) {
  throw Error(what + " failed: " + std::strerror(error), "sandboxed process");
}

DUALAGENT_INLINE Pipe::Pipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) throw_errno("pipe2", errno);
  read = FileDescriptor(ends[0]);
  write = FileDescriptor(ends[1]);
}

DUALAGENT_INLINE SocketPair::SocketPair() {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0)
    throw_errno("socketpair", errno);
  ours = FileDescriptor(ends[0]);
  theirs = FileDescriptor(ends[1]);
}

inline bool limit_child(const ChildPlan& plan) {
  const auto set = [](int resource, rlim_t soft, rlim_t hard) {
    rlimit own{};
    if (getrlimit(static_cast<__rlimit_resource>(resource), &own) != 0) return false;
    const rlimit wanted{std::min(soft, own.rlim_max), std::min(hard, own.rlim_max)};
    return setrlimit(static_cast<__rlimit_resource>(resource), &wanted) == 0;
  };
  const SandboxLimits& limits = plan.limits;
  const rlim_t tasks = plan.max_user_tasks;
  return set(RLIMIT_CPU, limits.cpu_seconds, rlim_t{limits.cpu_seconds} + 1) &&
         set(RLIMIT_AS, limits.memory_bytes, limits.memory_bytes) &&
         set(RLIMIT_FSIZE, limits.file_bytes, limits.file_bytes) && set(RLIMIT_CORE, 0, 0) &&
         set(RLIMIT_MSGQUEUE, 0, 0) &&  // POSIX message queues outlive their makers
         set(RLIMIT_NOFILE, 256, 256) && set(RLIMIT_STACK, 8u << 20, 8u << 20) &&
         (tasks == 0 || set(RLIMIT_NPROC, tasks, tasks));
}

/// When memory runs out the kernel ends this process and its children before the host. Done where
/// the kernel allows it.
inline void end_first_when_memory_is_out() {
  const int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (file < 0) return;
  [[maybe_unused]] const ssize_t written = write(file, "1000", 4);
  close(file);
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

DUALAGENT_INLINE int run_child(void* pointer) {
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
  end_first_when_memory_is_out();
  step("setresuid", drop_user(plan));
  step("chdir", chdir(plan.directory) == 0);
  step("prctl", prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0 &&
                    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  step("host", getppid() == plan.host);
  step("execve", execve(plan.argv[0], plan.argv.data(), plan.environment.data()) == 0);
  return 127;
}

DUALAGENT_INLINE ChildProcess clone_child(int (*function)(void*), void* argument) {
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
  return {pid, FileDescriptor(pidfd)};
}

DUALAGENT_INLINE bool child_statuses_are_lost() {
  struct sigaction action {};
  return sigaction(SIGCHLD, nullptr, &action) == 0 &&
         (action.sa_handler == SIG_IGN || (action.sa_flags & SA_NOCLDWAIT) != 0);
}

DUALAGENT_INLINE void throw_status_lost(const std::string& command) {
  throw Error("how the program ended cannot be seen", command,
              "This program ignores SIGCHLD, or a handler of it reaps every child: call "
              "signal(SIGCHLD, SIG_DFL), and wait for your own children by their ids");
}

DUALAGENT_INLINE std::optional<int> reap(pid_t pid) {
  int status = 0;
  pid_t ended = -1;
  do ended = waitpid(pid, &status, 0);
  while (ended < 0 && errno == EINTR);
  if (ended != pid) return std::nullopt;
  return status;
}

DUALAGENT_INLINE void wait_for_end(int pidfd) {
  pollfd wait{pidfd, POLLIN, 0};
  while (poll(&wait, 1, -1) < 0 && errno == EINTR) {
  }
}

DUALAGENT_INLINE void kill_user(uid_t uid) {
  const ChildProcess killer = clone_child(
      [](void* pointer) {
        const uid_t user = *static_cast<uid_t*>(pointer);
        if (syscall(SYS_setresuid, user, user, user) == 0) kill(-1, SIGKILL);
        _exit(0);
        return 0;
      },
      &uid);
  reap(killer.pid);
  while (tasks_of_user(uid).running > 0) usleep(1000);
}

/// Whether the kernel holds keys that a user owns.
inline bool has_keys(uid_t uid) {
  const std::string text = '\n' + read_proc_file("/proc/key-users");  // "%5u: ..." a line
  char line[16];
  std::snprintf(line, sizeof line, "\n%5u:", uid);
  return text.find(line) != std::string::npos;
}

DUALAGENT_INLINE void forget_keys(uid_t uid) {
  if (!has_keys(uid)) return;  // to name a keyring is to make it
  const ChildProcess child = clone_child(
      [](void* pointer) {
        const uid_t user = *static_cast<uid_t*>(pointer);
        if (syscall(SYS_setresuid, user, user, user) != 0) _exit(1);
        const auto id = [](long keyring) {
          return syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, keyring, 0);
        };
        // All before the first goes: to name one afterwards would make it again.
        const std::array keyrings = {
            syscall(SYS_keyctl, KEYCTL_GET_PERSISTENT, -1, KEY_SPEC_PROCESS_KEYRING),
            id(KEY_SPEC_USER_SESSION_KEYRING), id(KEY_SPEC_USER_KEYRING)};
        for (const long keyring : keyrings)
          if (keyring > 0) syscall(SYS_keyctl, KEYCTL_INVALIDATE, keyring);
        _exit(0);
        return 0;
      },
      &uid);
  reap(child.pid);
}

DUALAGENT_INLINE void kill_marked(const std::string& marker) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point give_up = Clock::now() + std::chrono::seconds(1);
  for (bool again = true; again;) {
    again = false;
    bool in_exec = false;
    for_each_process([&](pid_t pid, const std::string& folder) {
      const std::string path = folder + "/environ";
      const std::string environment = '\0' + read_proc_file(path);
      if (environment.find('\0' + marker + '\0') != std::string::npos)
        again |= kill(pid, SIGKILL) == 0;
      else if (environment.size() == 1 && can_read_proc_file(path))
        in_exec |= environment_is_to_come(read_proc_file(folder + "/stat"));
    });
    if (in_exec && Clock::now() < give_up) {
      again = true;
      sched_yield();
    }
  }
}

DUALAGENT_INLINE void remove_private_folder(const std::string& folder) {
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

}  // namespace dualagent::detail
