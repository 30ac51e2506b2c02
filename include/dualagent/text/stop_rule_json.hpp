#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/json.hpp"
#include "dualagent/core/printable.hpp"
#include "dualagent/text/stop_rule.hpp"

namespace dualagent {

/// A stop rule as a model in another process can obey it: all of its data. Its check, if it has
/// one, stays here and is asked as EarlyStop says.
///
/// Errors: Error for a check without strings, of which the other process could not know when to ask
/// it.
/// Example: {"stop_tokens":[2],"max_new_tokens":64,"strings":["</tool_call>"],
///           "patterns":[{"positions":[[5,6],[7]],"open_ended":true}]}
nlohmann::json to_json(const StopRule& rule);

/// The rule that `to_json` wrote, without its check. Whoever obeys it hands a generation back as
/// soon as `stop_early` ends it, and after every token from the first of `strings()` on.
///
/// Errors: Error for JSON that is not a stop rule, or whose ids are negative or 2^31 and above.
StopRule stop_rule_from_json(const nlohmann::json& json);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/text/stop_rule_json.inl"
#endif
