#pragma once

/// Definitions of check.hpp; see core/compiled.hpp.

#include "dualagent/core/check.hpp"
#include "dualagent/core/printable.hpp"

namespace dualagent {

DUALAGENT_INLINE std::string Bounds::text() const {
  constexpr double kEndless = std::numeric_limits<double>::infinity();
  std::string text = high == kEndless && !takes_high ? "a finite number" : "a number";
  if (low != -kEndless) text += (takes_low ? " of at least " : " above ") + shortest_text(low);
  if (high != kEndless)
    text += (takes_high ? " and at most " : " and below ") + shortest_text(high);
  return text;
}

DUALAGENT_INLINE void require_utf8(std::string_view text, const std::string& name,
                                   const std::string& owner) {
  if (const std::size_t valid = valid_utf8_bytes(text); valid < text.size())
    throw Error(name + " is not valid UTF-8 at byte " + std::to_string(valid), owner,
                "It travels as JSON: write it in UTF-8");
}

DUALAGENT_INLINE void require_no_nul(std::string_view text, const std::string& name,
                                     const std::string& owner) {
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos)
    throw Error(name + " has a NUL byte at byte " + std::to_string(nul) + ": " + printable(text),
                owner, "The system would end it there: take it out");
}

DUALAGENT_INLINE void require_no_nul(std::span<const std::string> texts, const std::string& name,
                                     const std::string& owner) {
  for (std::size_t i = 0; i < texts.size(); ++i)
    if (const std::size_t nul = texts[i].find('\0'); nul != std::string::npos)
      throw Error(name + " " + std::to_string(i) + " has a NUL byte at byte " + std::to_string(nul),
                  owner, "The system would end it there: take it out");
}

DUALAGENT_INLINE void require_below_window(std::size_t max_tokens, std::size_t max_context_tokens,
                                           const std::string& owner) {
  if (max_tokens > 0 && max_tokens < max_context_tokens) return;
  throw Error(
      "max_tokens is " + std::to_string(max_tokens) + ", the context window has " +
          std::to_string(max_context_tokens) + " tokens",
      owner,
      "Set it to at least 1 and below RolloutLimits::max_context_tokens, or nothing is ever "
      "summarized or dropped");
}

}  // namespace dualagent
