#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dualagent/core/error.hpp"
#include "dualagent/core/json.hpp"
#include "dualagent/text/call_format.hpp"
#include "statement.hpp"

namespace ledger_smollm2 {

/// A call format of three tokens: a turn is the call "lookup David." or the answer
/// "Total 58+6=64.", of which the last number counts. Nothing else is a turn.
struct DebtCalls {
  static constexpr std::string_view tool = "lookup";
  static constexpr std::array brackets{dualagent::CallBrackets{"lookup ", "."}};
  static constexpr std::array<std::string_view, 0> markers{};
  static constexpr dualagent::ResultPlace result_place = dualagent::ResultPlace::own_message;

  dualagent::Turn parse(std::string_view text) const {
    if (text.starts_with(brackets[0].open)) {
      const std::string_view rest = text.substr(brackets[0].open.size());
      const std::string_view name = rest.substr(0, rest.find('.'));
      if (!is_name(name) || name.size() + 1 != rest.size())
        return dualagent::MalformedTurn{"a call is 'lookup NAME.'"};
      return std::vector<dualagent::ToolCall>{
          {std::string(tool), nlohmann::json{{"name", name}}.dump()}};
    }
    const std::optional<ReadStatement> read = read_statement(text);
    if (!read || read->length != text.size())
      return dualagent::MalformedTurn{"neither 'lookup NAME.' nor a sum like 'Total 25+6=31.'"};
    return dualagent::Answer{two_digits(read->statement.last())};
  }

  std::optional<std::size_t> call_end(std::string_view said) const {
    const std::size_t end = said.find('.');
    if (!said.starts_with(brackets[0].open) || end == std::string_view::npos) return std::nullopt;
    return end + 1;
  }

  /// Errors: Error for anything but one call of lookup with a name of letters.
  std::string render_calls(std::span<const dualagent::ToolCall> calls) const {
    if (calls.size() != 1 || calls[0].tool != tool) refuse();
    const nlohmann::json arguments =
        dualagent::parse_json(calls[0].arguments, "DebtCalls", "Give a JSON object");
    if (!arguments.is_object() || arguments.size() != 1 || !arguments.contains("name") ||
        !arguments["name"].is_string())
      refuse();
    const auto name = arguments["name"].get<std::string>();
    if (!is_name(name)) refuse();
    return "lookup " + name + ".";
  }

  std::string render_result(const dualagent::ToolCall&, std::string_view text) const {
    return std::string(text);
  }

  /// Nothing: demonstrations show what a description would tell.
  std::string describe_tools(std::span<const dualagent::ToolSpec>) const { return {}; }

 private:
  [[noreturn]] static void refuse() {
    throw dualagent::Error("only one call can be written, lookup of a name", "DebtCalls");
  }
  static bool is_name(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    });
  }
};
static_assert(dualagent::CallFormat<DebtCalls>);

}  // namespace ledger_smollm2
