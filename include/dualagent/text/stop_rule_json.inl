#pragma once

/// Definitions of stop_rule_json.hpp; see core/compiled.hpp.

#include "dualagent/text/stop_rule_json.hpp"

namespace dualagent {

DUALAGENT_INLINE nlohmann::json to_json(const StopRule& rule) {
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

DUALAGENT_INLINE StopRule stop_rule_from_json(const nlohmann::json& json) {
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
