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

#include "dualagent/core/compiled.hpp"
#include "dualagent/io/atomic_file.hpp"

namespace dualagent {

namespace detail {

/// The number of a line like "VmHWM:     1234 kB" of /proc/PID/status, in bytes.
std::optional<std::uint64_t> status_bytes(std::string_view status, std::string_view key);

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
std::optional<std::uint64_t> resident_memory_bytes();

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/report/memory.inl"
#endif
