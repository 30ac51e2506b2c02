#pragma once

/// Definitions of stop_rule_json.hpp; see core/compiled.hpp.

#include "dualagent/text/stop_rule_json.hpp"

namespace dualagent::detail {

[[noreturn]] inline void refuse_stop_rule(const std::string& problem) {
  throw Error("this is not a stop rule: " + problem, "stop_rule_from_json",
              "Write it with to_json");
}

inline const nlohmann::json::array_t& list_of(const nlohmann::json& json) {
  return json.get_ref<const nlohmann::json::array_t&>();
}

inline std::vector<Token> tokens_of(const nlohmann::json& ids) {
  std::vector<Token> tokens;
  for (const nlohmann::json& id : list_of(ids)) {
    const std::optional<Token> token = token_id(id);
    if (!token) refuse_stop_rule(shown_json(id) + " is no token's id");
    tokens.push_back(*token);
  }
  return tokens;
}

}  // namespace dualagent::detail

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
    for (const nlohmann::json& pattern : json.at("patterns")) {
      std::vector<std::vector<Token>> positions;
      for (const nlohmann::json& position : detail::list_of(pattern.at("positions")))
        positions.push_back(detail::tokens_of(position));
      patterns.push_back({std::move(positions), pattern.at("open_ended").get<bool>()});
    }
    return {detail::tokens_of(json.at("stop_tokens")),
            require_count(json.at("max_new_tokens"), "this is not a stop rule: max_new_tokens",
                          "stop_rule_from_json", "Write it with to_json", {.least = 1}),
            EarlyStop(std::move(patterns), json.at("strings").get<std::vector<std::string>>())};
  } catch (const nlohmann::json::exception& error) {
    detail::refuse_stop_rule(error.what());
  }
}

}  // namespace dualagent
