#pragma once

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/json.hpp"
#include "dualagent/core/printable.hpp"
#include "dualagent/core/spelling.hpp"
#include "dualagent/core/trim.hpp"
#include "dualagent/data/conversation.hpp"
#include "dualagent/data/message_content.hpp"
#include "dualagent/text/json_parts.hpp"

namespace dualagent {

namespace detail {

inline constexpr const char* kConversationForm =
    "A row is {\"messages\": [{\"role\": \"user\", \"content\": \"...\"}, {\"role\": "
    "\"assistant\", \"content\": \"...\"}]}; see docs/data.md#conversations";

/// A JSON object that is read key by key: each that is not null must be known. Null means that the
/// key is not there, as in files that were exported from tables.
struct RowPart {
  const nlohmann::json& object;
  std::string_view raw;  ///< the same, as it is written
  const std::string& where;

  bool has(const char* key) const { return object.contains(key) && !object.at(key).is_null(); }

  [[noreturn]] void fail(const std::string& problem,
                         const std::string& remedy = kConversationForm) const {
    throw Error(problem, where, remedy);
  }

  void check_keys(const std::string& what, std::initializer_list<std::string_view> known,
                  const std::vector<std::string>& others = {}) const;

  /// A text that is not empty, or nothing where the key is missing.
  std::optional<std::string> text(const char* key) const;
};

/// Puts the messages of one row together and refuses those that cannot follow one another.
class ConversationReader {
 public:
  ConversationReader(std::string where, const std::vector<std::string>& other_keys)
      : row_(std::move(where)), other_keys_(other_keys) {
    made_.where = row_;
  }

  Conversation read(std::string_view text);

 private:
  static bool is_learned(const ConversationMessage& message) {
    return message.speaker != Speaker::user && message.trained;
  }

  void read_tools(const RowPart& row);

  void read_message(const RowPart& part);

  /// A text of more than white space, or nothing where there is no content.
  std::optional<std::string> content(const RowPart& part) const;

  void read_system(const RowPart& part);

  void read_said(const RowPart& part, ConversationMessage& message) const;

  void read_calls(const RowPart& part, std::vector<ToolCall>& calls) const;

  void read_reply(const RowPart& part);

  void require_replies(const RowPart& part) const;

  void check_order(const RowPart& part, const ConversationMessage& message) const;

  std::string row_;
  const std::vector<std::string>& other_keys_;
  Conversation made_;
  std::size_t index_ = 0;
  std::vector<std::optional<std::string>> replies_;  // to the calls of the last message
  std::size_t answered_ = 0;
};

}  // namespace detail

/// Conversations as chat JSONL: {"messages": [...], "tools": [...]}, in the forms of OpenAI and
/// Hugging Face; docs/data.md#conversations has every key.
///
/// A message of role "summarizer" is a summary of all that stands before it; what stands behind it
/// goes on from the task and the summary.
/// Errors: Error with file, line and message for whatever cannot be meant; an unknown key is
/// refused unless `other_keys` names it or it is null. Example: Conversation c =
/// ConversationRows{}.read(line, "chats.jsonl:1");
struct ConversationRows {
  std::vector<std::string> other_keys = {};  ///< of rows and messages, which are ignored

  Conversation read(std::string_view row, const std::string& where) const {
    return detail::ConversationReader(where, other_keys).read(row);
  }
};

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/data/conversation_rows.inl"
#endif
