#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "dualagent/text/call_format.hpp"
#include "fuzz.hpp"

namespace fuzz {

inline void require_same(const std::vector<dualagent::ToolCall>& a,
                         const std::vector<dualagent::ToolCall>& b) {
  require(a.size() == b.size(), "calls that were written are read as another number of calls");
  for (std::size_t i = 0; i < a.size(); ++i)
    require(a[i].tool == b[i].tool &&
                nlohmann::json::parse(a[i].arguments) == nlohmann::json::parse(b[i].arguments),
            "a call that was written is read as another one");
}

/// A model may say anything: it is read without an exception, calls have objects as arguments and
/// close inside the turn, and what can be written is read back.
template <dualagent::CallFormat Format>
void check_call_format(const Format& format, std::string_view said) {
  const dualagent::Turn turn = format.parse(said);
  const std::optional<std::size_t> end = format.call_end(said);
  require(!end || *end <= said.size(), "a call ends outside the turn");
  if (const auto* malformed = std::get_if<dualagent::MalformedTurn>(&turn))
    require(!malformed->reason.empty(), "a malformed turn has no reason");
  const auto* calls = std::get_if<std::vector<dualagent::ToolCall>>(&turn);
  if (calls == nullptr) return;
  require(!calls->empty() && end, "a turn of calls has none that closed");
  for (const dualagent::ToolCall& call : *calls)
    require(nlohmann::json::parse(call.arguments).is_object(), "arguments are not an object");
  std::string written;
  try {
    written = format.render_calls(*calls);
  } catch (const dualagent::Error&) {
    return;  // e.g. a parameter given twice; the reason is the law's to check
  }
  const dualagent::Turn again = format.parse(written);
  const auto* same = std::get_if<std::vector<dualagent::ToolCall>>(&again);
  require(same != nullptr, "calls that were written are not read as calls");
  require_same(*calls, *same);
}

}  // namespace fuzz
