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

DUALAGENT_INLINE bool can_read_proc_file(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd >= 0) ::close(fd);
  return fd >= 0;
}

/// The number after `key` at the start of a line of /proc/PID/status, e.g. "Uid:"; -1 without it.
inline long status_number(const std::string& status, const std::string& key) {
  const std::size_t at = ("\n" + status).find("\n" + key);
  return at == std::string::npos ? -1 : std::atol(status.c_str() + at + key.size());
}

DUALAGENT_INLINE bool environment_is_to_come(const std::string& stat) {
  // Numbers as in proc(5), counted from 1; the second is the name in parentheses, of any letters.
  constexpr int kStateField = 3, kMemoryField = 23, kBeginField = 50, kEndField = 51;
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return false;
  unsigned long long memory = 0, begin = 0, end = 0;
  std::size_t at = name_end + 1;
  for (int field = kStateField; field <= kEndField; ++field) {
    at = stat.find_first_not_of(' ', at);
    if (at == std::string::npos) return false;
    const unsigned long long value = std::strtoull(stat.c_str() + at, nullptr, 10);
    if (field == kMemoryField) memory = value;
    if (field == kBeginField) begin = value;
    if (field == kEndField) end = value;
    at = std::min(stat.find(' ', at), stat.size());
  }
  if (memory == 0) return false;  // a thread of the kernel, or it has ended
  return end == 0 || begin != end;
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
