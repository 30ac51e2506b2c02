#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <string>

#include "dualagent/core/compiled.hpp"

namespace dualagent::detail {

/// A file of /proc, whose size is not known before it is read; empty if it cannot be read.
std::string read_proc_file(const std::string& path);
/// Whether this process may read it; a file of /proc may refuse root, too.
bool can_read_proc_file(const std::string& path);

/// Whether a process whose /proc/PID/environ reads as empty may yet have an environment: between
/// the moments when exec takes the new memory, which ends a vfork, and when it has said where
/// arguments and environment lie, both read as empty. `stat` is its /proc/PID/stat, read
/// afterwards.
bool environment_is_to_come(const std::string& stat);

/// Calls visit(pid, "/proc/PID") for every process that this one can see.
template <class Visitor>
void for_each_process(Visitor&& visit) {
  DIR* folder = opendir("/proc");
  if (folder == nullptr) return;
  while (const dirent* entry = readdir(folder))
    if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9')
      visit(static_cast<pid_t>(std::atol(entry->d_name)), std::string("/proc/") + entry->d_name);
  closedir(folder);
}

/// Processes and threads of a user.
struct UserTasks {
  std::size_t running = 0;
  std::size_t ended = 0;  ///< wait to be reaped; they still count for RLIMIT_NPROC
};
UserTasks tasks_of_user(uid_t uid);

}  // namespace dualagent::detail

#ifndef DUALAGENT_COMPILED
#include "dualagent/tools/process_table.inl"
#endif
