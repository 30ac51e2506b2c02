#pragma once

#include <cstdio>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "dualagent/core/printable.hpp"

namespace dualagent {

/// Takes the text of one warning, without a line break. Called by one thread at a time.
using WarningSink = std::function<void(std::string_view)>;

namespace detail {
struct WarningOutput {
  std::mutex mutex;
  WarningSink sink;
  std::set<std::string, std::less<>> said_once = {};

  static WarningOutput& get() {
    static WarningOutput output;
    return output;
  }
};
}  // namespace detail

/// Sends this process's warnings elsewhere than to standard error; returns the sink so far. An
/// empty sink stands for standard error.
inline WarningSink set_warning_sink(WarningSink sink) {
  detail::WarningOutput& output = detail::WarningOutput::get();
  const std::lock_guard lock(output.mutex);
  return std::exchange(output.sink, std::move(sink));
}

/// Sends warnings to a sink while it lives.
/// Example: WarningScope scope([&](std::string_view text) { progress.message(text); });
class WarningScope {
 public:
  explicit WarningScope(WarningSink sink) : before_(set_warning_sink(std::move(sink))) {}
  WarningScope(const WarningScope&) = delete;
  WarningScope& operator=(const WarningScope&) = delete;
  ~WarningScope() { set_warning_sink(std::move(before_)); }

 private:
  WarningSink before_;
};

/// Reports what may be intended but looks wrong; what makes no sense is thrown as Error instead.
///
/// A thing is reported once: where it is made, after remembering it, or by `warn_once`. The
/// text reaches the sink as it can be shown (`printable`).
inline void warn(std::string_view text) {
  detail::WarningOutput& output = detail::WarningOutput::get();
  const std::string shown = printable(text);
  const std::lock_guard lock(output.mutex);
  if (output.sink)
    output.sink(shown);
  else
    std::fprintf(stderr, "dualagent: %s\n", shown.c_str());
}

/// `warn`, but the same text only once in this process.
inline void warn_once(std::string_view text) {
  detail::WarningOutput& output = detail::WarningOutput::get();
  {
    const std::lock_guard lock(output.mutex);
    if (!output.said_once.emplace(text).second) return;
  }
  warn(text);
}

}  // namespace dualagent
