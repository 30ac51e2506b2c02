#pragma once

/// Definitions of message_content.hpp; see core/compiled.hpp.

#include "dualagent/data/message_content.hpp"

namespace dualagent {

DUALAGENT_INLINE std::optional<std::string> message_content(const nlohmann::json& message,
                                                            const std::string& where,
                                                            const std::string& remedy) {
  const nlohmann::json content = message.value("content", nlohmann::json());
  if (content.is_null()) return std::nullopt;
  if (content.is_string()) return content.get<std::string>();
  if (!content.is_array())
    throw Error("a message's \"content\" is neither a text nor a list of parts", where, remedy);
  std::string all;
  for (const nlohmann::json& part : content) {
    if (!part.is_object() || part.value("type", nlohmann::json()) != "text")
      throw Error("a part of a message's content is not text", where, remedy);
    const nlohmann::json text = part.value("text", nlohmann::json());
    if (!text.is_string())
      throw Error("a part of a message's content has no \"text\"", where, remedy);
    all += text.get<std::string>();
  }
  return all;
}

}  // namespace dualagent
