#pragma once

#include <cstdio>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/printable.hpp"

namespace dualagent {

/// Takes the text of one warning, without a line break. Called by one thread at a time.
using WarningSink = std::function<void(std::string_view)>;

/// Sends this process's warnings elsewhere than to standard error; returns the sink so far. An
/// empty sink stands for standard error.
WarningSink set_warning_sink(WarningSink sink);

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
void warn(std::string_view text);

/// `warn`, but the same text only once in this process.
void warn_once(std::string_view text);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/core/warning.inl"
#endif
