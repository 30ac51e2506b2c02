#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"

namespace dualagent {

/// The content of an OpenAI-style message: a text, or a list of parts of type "text", which are
/// joined. Nothing where it is missing or null.
///
/// Errors: Error with `where` and `remedy` for content of another type and for other parts.
/// Example: {"content": [{"type": "text", "text": "1 + "}, {"type": "text", "text": "1"}]} is
/// "1 + 1".
std::optional<std::string> message_content(const nlohmann::json& message, const std::string& where,
                                           const std::string& remedy);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/data/message_content.inl"
#endif
