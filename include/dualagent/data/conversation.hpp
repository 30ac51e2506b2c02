#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dualagent/text/dialect.hpp"
#include "dualagent/text/tool_spec.hpp"

namespace dualagent {

/// Whose words a message of a conversation is.
enum class Speaker : std::uint8_t { user, assistant, summarizer };

/// One message of a conversation. The replies to its calls belong to it.
struct ConversationMessage {
  Speaker speaker = Speaker::user;
  SaidTurn said = {};                     ///< of the user: a text only
  std::vector<std::string> replies = {};  ///< [said.calls], or none if the conversation ends here
  bool trained = true;                    ///< of the user: means nothing
  std::size_t index = 0;                  ///< in the row's list of messages, from 0
};

/// A whole conversation, as `ConversationRows` has checked it: the user begins, and each message
/// can follow the one before it.
struct Conversation {
  std::optional<std::string> system = {};           ///< none: the dialect's
  std::optional<std::vector<ToolSpec>> tools = {};  ///< none: the dialect's
  std::vector<ConversationMessage> messages = {};   ///< one at least is trained
  std::string where = {};                           ///< "FILE:LINE"
};

}  // namespace dualagent
