#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <linux/keyctl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/io/atomic_file.hpp"
#include "dualagent/tools/process_table.hpp"
#include "dualagent/tools/sandbox.hpp"

namespace dualagent::detail {

[[noreturn]] void throw_errno(const std::string& what, int error);

struct Pipe {
  FileDescriptor read, write;
  Pipe();
};

/// Two connected sockets that keep the borders of messages.
struct SocketPair {
  FileDescriptor ours, theirs;
  SocketPair();
};

/// All that the child needs, made before it exists: it shares the host's memory until exec and
/// may neither allocate nor lock.
struct ChildPlan {
  std::vector<char*> argv{}, environment{};
  const char* directory = nullptr;
  SandboxLimits limits{};
  std::uint64_t max_user_tasks = 0;
  bool has_uid = false;
  uid_t uid = 0;
  std::array<int, 4> descriptors{-1, -1, -1, -1};  // for 0 to 3 of the child; all above 3
  pid_t host = 0;
  int error = 0;  // errno of the step that failed
  const char* failed_step = "";
};

/// The child from clone to exec: only system calls.
int run_child(void* pointer);

struct ChildProcess {
  pid_t pid = -1;
  FileDescriptor pidfd;
};

/// Runs `function(argument)` in a child that shares this memory until it execs or ends, as
/// posix_spawn does: the host's page tables are not copied and its other threads go on.
ChildProcess clone_child(int (*function)(void*), void* argument);

/// Whether the kernel discards how children end, because this program ignores SIGCHLD.
bool child_statuses_are_lost();

[[noreturn]] void throw_status_lost(const std::string& command);

/// The wait status of an ended child; none if somebody else has taken it.
std::optional<int> reap(pid_t pid);

/// Waits until the process of a pidfd has ended.
void wait_for_end(int pidfd);

/// Kills every process of a user and waits until they have ended: one pass of the kernel over the
/// process table, which a fork cannot slip through. Only for user ids that belong to one sandbox.
void kill_user(uid_t uid);

/// Removes the keyrings of a user, which would outlive its processes. Only for user ids that belong
/// to one sandbox.
void forget_keys(uid_t uid);

/// Kills the processes whose environment has `marker`, until a walk through /proc finds none. One
/// that is in the middle of exec is looked at again, for a second at most.
void kill_marked(const std::string& marker);

/// Removes a tree that its owner may have made unreadable; never follows a link.
void remove_private_folder(const std::string& folder);

}  // namespace dualagent::detail

#ifndef DUALAGENT_COMPILED
#include "dualagent/tools/child_process.inl"
#endif
