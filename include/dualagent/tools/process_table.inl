#pragma once

/// Definitions of process_table.hpp; see core/compiled.hpp.

#include "dualagent/tools/process_table.hpp"

namespace dualagent::detail {

DUALAGENT_INLINE std::string read_proc_file(const std::string& path) {
  std::string text;
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return text;
  std::array<char, 4096> bytes;
  for (;;) {
    const ssize_t count = read(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    text.append(bytes.data(), static_cast<std::size_t>(count));
  }
  ::close(fd);
  return text;
}

/// The number after `key` at the start of a line of /proc/PID/status, e.g. "Uid:"; -1 without it.
inline long status_number(const std::string& status, const std::string& key) {
  const std::size_t at = ("\n" + status).find("\n" + key);
  return at == std::string::npos ? -1 : std::atol(status.c_str() + at + key.size());
}

DUALAGENT_INLINE UserTasks tasks_of_user(uid_t uid) {
  UserTasks tasks;
  for_each_process([&](pid_t, const std::string& folder) {
    const std::string status = read_proc_file(folder + "/status");
    const std::size_t state = status.find("\nState:\t");
    if (state == std::string::npos || status_number(status, "Uid:") != static_cast<long>(uid))
      return;
    const char letter = status[state + 8];
    if (letter == 'Z' || letter == 'X')
      ++tasks.ended;
    else
      tasks.running += static_cast<std::size_t>(status_number(status, "Threads:"));
  });
  return tasks;
}

}  // namespace dualagent::detail
