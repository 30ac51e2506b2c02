#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "dualagent/core/error.hpp"
#include "dualagent/text/stop_rule.hpp"

namespace dualagent {

/// A stop rule as a model in another process can obey it: all of its data. Its check, if it has
/// one, stays here and is asked as EarlyStop says.
///
/// Errors: Error for a check without strings, of which the other process could not know when to ask
/// it.
/// Example: {"stop_tokens":[2],"max_new_tokens":64,"strings":["</tool_call>"],
///           "patterns":[{"positions":[[5,6],[7]],"open_ended":true}]}
inline nlohmann::json to_json(const StopRule& rule) {
  const EarlyStop& early = rule.stop_early;
  if (early.has_check() && early.strings().empty())
    throw Error("a stop rule has a check that may end a generation after any token",
                "EarlyStop, to be sent to another process",
                "Give EarlyStop::of the strings of which one stands before every end");
  nlohmann::json patterns = nlohmann::json::array();
  for (const TokenPattern& pattern : early.patterns())
    patterns.push_back({{"positions", pattern.positions}, {"open_ended", pattern.open_ended}});
  return {{"stop_tokens", rule.stop_tokens},
          {"max_new_tokens", rule.max_new_tokens},
          {"strings", early.strings()},
          {"patterns", std::move(patterns)}};
}

/// The rule that `to_json` wrote, without its check. Whoever obeys it hands a generation back as
/// soon as `stop_early` ends it, and after every token from the first of `strings()` on.
///
/// Errors: Error for JSON that is not a stop rule.
inline StopRule stop_rule_from_json(const nlohmann::json& json) {
  try {
    std::vector<TokenPattern> patterns;
    for (const nlohmann::json& pattern : json.at("patterns"))
      patterns.push_back({pattern.at("positions").get<std::vector<std::vector<Token>>>(),
                          pattern.at("open_ended").get<bool>()});
    return {json.at("stop_tokens").get<std::vector<Token>>(),
            json.at("max_new_tokens").get<std::size_t>(),
            EarlyStop(std::move(patterns), json.at("strings").get<std::vector<std::string>>())};
  } catch (const nlohmann::json::exception& error) {
    throw Error(std::string("this is not a stop rule: ") + error.what(), "stop_rule_from_json",
                "Write it with to_json");
  }
}

}  // namespace dualagent
