#pragma once

#include <cmath>
#include <concepts>
#include <cstddef>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/number_text.hpp"
#include "dualagent/core/user_code.hpp"

namespace dualagent {

/// The values that an option may have. NaN lies in no interval.
struct Bounds {
  double low = 0;
  double high = 0;
  bool takes_low = true;   ///< whether `low` itself may be had
  bool takes_high = true;  ///< whether `high` itself may be had

  constexpr bool contains(double x) const {
    return (takes_low ? x >= low : x > low) && (takes_high ? x <= high : x < high);
  }

  /// What an error asks for. Example: "a finite number above 0".
  std::string text() const;
};

inline constexpr Bounds kFinite{-std::numeric_limits<double>::infinity(),
                                std::numeric_limits<double>::infinity(), false, false};
inline constexpr Bounds kPositive{0.0, std::numeric_limits<double>::infinity(), false, false};
inline constexpr Bounds kPositiveOrInfinite{0.0, std::numeric_limits<double>::infinity(), false,
                                            true};
inline constexpr Bounds kNotNegative{0.0, std::numeric_limits<double>::infinity(), true, false};
inline constexpr Bounds kNotNegativeOrInfinite{0.0, std::numeric_limits<double>::infinity(), true,
                                               true};
/// Seconds by which a clock can be moved, which counts nanoseconds in 64 bits: up to 31 years.
inline constexpr Bounds kSeconds{0.0, 1e9};
inline constexpr Bounds kPositiveSeconds{0.0, 1e9, false, true};
/// Things that are made all at once and take memory each: up to 2^20.
inline constexpr Bounds kCount{1.0, 1048576.0};
/// Threads of a process, or processes of a host: up to 2^16.
inline constexpr Bounds kThreads{1.0, 65536.0};
inline constexpr Bounds kFraction{0.0, 1.0};
inline constexpr Bounds kBelowOne{0.0, 1.0, true, false};
inline constexpr Bounds kAtLeastOne{1.0, std::numeric_limits<double>::infinity(), true, false};

/// Refuses an option that cannot be meant: throws Error "NAME is VALUE (OWNER). Set it to ...".
///
/// Example: require_option(margin, {1, max_tokens}, "margin", "OverlongPenalty").
template <class Number>
void require_option(Number value, const Bounds& allowed, const std::string& name,
                    const std::string& owner, const std::string& more = {}) {
  if (allowed.contains(static_cast<double>(value))) return;
  std::string shown;
  if constexpr (std::integral<Number>)
    shown = std::to_string(value);
  else
    shown = shortest_text(static_cast<double>(value));
  throw Error(name + " is " + shown, owner,
              "Set it to " + allowed.text() + (more.empty() ? "" : "; " + more));
}

/// Refuses a text that JSON cannot hold: throws Error "NAME is not valid UTF-8 (OWNER). ...".
void require_utf8(std::string_view text, const std::string& name, const std::string& owner);

/// Refuses a path or name that holds a NUL byte, at which the system would end it: throws Error
/// "NAME has a NUL byte at byte N (OWNER). ...".
void require_no_nul(std::string_view text, const std::string& name, const std::string& owner);

/// The same for the words of a command or the entries of an environment: "NAME 2 has a NUL byte at
/// byte N (OWNER). ...", counted from 0. They are not shown, since they may hold a secret.
void require_no_nul(std::span<const std::string> texts, const std::string& name,
                    const std::string& owner);

/// Refuses an empty callback: throws Error "NAME is empty (OWNER). Give a function".
template <class Signature>
void require_function(const std::function<Signature>& function, const std::string& name,
                      const std::string& owner) {
  if (!function) throw Error(name + " is empty", owner, "Give a function");
}

/// Options or a policy that say by themselves which of their values cannot be meant.
///
/// Optional for every policy: `void validate() const` throws Error. Whoever is made of policies
/// calls it once, before anything is played or trained.
template <class T>
concept Validates = requires(const T& part) {
  { part.validate() } -> std::same_as<void>;
};

/// Calls `validate` of every part that has it.
template <class... Parts>
void validate_all(const Parts&... parts) {
  const auto validate = [](const auto& part) {
    if constexpr (Validates<std::remove_cvref_t<decltype(part)>>)
      call_user_code(
          "validate of a policy", [] { return std::string(); }, [&] { part.validate(); });
  };
  (validate(parts), ...);
}

/// The same for parts of an episode that mind the size of its context window.
template <class... Parts>
void validate_for_window(std::size_t max_context_tokens, const Parts&... parts) {
  const auto validate = [&](const auto& part) {
    if constexpr (requires {
                    { part.validate(max_context_tokens) } -> std::same_as<void>;
                  })
      call_user_code(
          "validate of a policy", [] { return std::string(); },
          [&] { part.validate(max_context_tokens); });
  };
  (validate(parts), ...);
}

/// Refuses a budget of tokens that a context window can never exceed, or that nothing fits into.
void require_below_window(std::size_t max_tokens, std::size_t max_context_tokens,
                          const std::string& owner);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/core/check.inl"
#endif
