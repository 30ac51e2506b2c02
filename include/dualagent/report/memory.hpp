#pragma once

#include <sys/resource.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include "dualagent/io/atomic_file.hpp"

namespace dualagent {

namespace detail {

/// The number of a line like "VmHWM:     1234 kB" of /proc/PID/status, in bytes.
inline std::optional<std::uint64_t> status_bytes(std::string_view status, std::string_view key) {
  for (std::size_t begin = 0; begin < status.size();) {
    const std::size_t end = std::min(status.find('\n', begin), status.size());
    std::string_view line = status.substr(begin, end - begin);
    begin = end + 1;
    if (line.substr(0, key.size()) != key) continue;
    line.remove_prefix(key.size());
    const std::size_t digit = line.find_first_not_of(": \t");
    if (digit == std::string_view::npos) return std::nullopt;
    std::uint64_t kibibytes = 0;
    const char* const line_end = line.data() + line.size();
    const auto parsed = std::from_chars(line.data() + digit, line_end, kibibytes);
    if (parsed.ec != std::errc{} || std::string_view(parsed.ptr, line_end) != " kB")
      return std::nullopt;
    return kibibytes * 1024;
  }
  return std::nullopt;
}

}  // namespace detail

/// The most physical memory that this process has held so far, in bytes.
///
/// From VmHWM of /proc/self/status; where there is no /proc, from getrusage (Linux counts KiB,
/// macOS bytes); nothing where neither answers.
inline std::optional<std::uint64_t> peak_memory_bytes() {
  try {
    const std::string status = read_file("/proc/self/status");
    if (const auto bytes = detail::status_bytes(status, "VmHWM")) return bytes;
  } catch (const Error&) {  // no /proc: ask the kernel instead
  }
  struct rusage usage {};
  if (::getrusage(RUSAGE_SELF, &usage) != 0 || usage.ru_maxrss <= 0) return std::nullopt;
#if defined(__APPLE__)
  return static_cast<std::uint64_t>(usage.ru_maxrss);
#else
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
#endif
}

/// The physical memory that this process holds now, in bytes: VmRSS of /proc/self/status; nothing
/// where there is no /proc.
inline std::optional<std::uint64_t> resident_memory_bytes() {
  try {
    return detail::status_bytes(read_file("/proc/self/status"), "VmRSS");
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace dualagent
