#pragma once

/// Definitions of warning.hpp; see core/compiled.hpp.

#include "dualagent/core/warning.hpp"

namespace dualagent::detail {

struct WarningOutput {
  std::mutex mutex;
  WarningSink sink;
  std::set<std::string, std::less<>> said_once = {};

  static WarningOutput& get() {
    static WarningOutput output;
    return output;
  }
};

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE WarningSink set_warning_sink(WarningSink sink) {
  detail::WarningOutput& output = detail::WarningOutput::get();
  const std::lock_guard lock(output.mutex);
  return std::exchange(output.sink, std::move(sink));
}

DUALAGENT_INLINE void warn(std::string_view text) {
  detail::WarningOutput& output = detail::WarningOutput::get();
  const std::string shown = printable(text);
  const std::lock_guard lock(output.mutex);
  if (output.sink)
    output.sink(shown);
  else
    std::fprintf(stderr, "dualagent: %s\n", shown.c_str());
}

DUALAGENT_INLINE void warn_once(std::string_view text) {
  detail::WarningOutput& output = detail::WarningOutput::get();
  {
    const std::lock_guard lock(output.mutex);
    if (!output.said_once.emplace(text).second) return;
  }
  warn(text);
}

}  // namespace dualagent
