#pragma once

/// Definitions of memory.hpp; see core/compiled.hpp.

#include "dualagent/report/memory.hpp"

namespace dualagent::detail {

DUALAGENT_INLINE std::optional<std::uint64_t> status_bytes(std::string_view status,
                                                           std::string_view key) {
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

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE std::optional<std::uint64_t> resident_memory_bytes() {
  try {
    return detail::status_bytes(read_file("/proc/self/status"), "VmRSS");
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace dualagent
