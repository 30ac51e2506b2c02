#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace dualagent {

struct ChatMessage {
  std::string role = {};  ///< "system", "user" or "assistant"
  std::string text = {};  ///< UTF-8
};

/// The form to which a server is to hold a reply: the protocol's `response_format`.
enum class ReplyForm : std::uint8_t { free, json_object, json_schema };

/// What a chat model is asked.
struct ChatRequest {
  std::string model = {};  ///< the server's name of it
  std::vector<ChatMessage> messages = {};
  std::optional<double> temperature = 1.0;  ///< nothing: the server's own
  std::size_t max_tokens = 1024;            ///< of the reply
  ReplyForm reply_form = ReplyForm::free;
  std::string schema = {};  ///< the JSON schema of the reply, for ReplyForm::json_schema
};

/// Asks a chat model, usually on a server.
///
/// Syntactic requirement on a constant client c: `c.complete(request)` returns the reply's text as
/// std::string.
/// Semantic requirements: may be called from several threads at once; throws Error when there is no
/// reply, after as many attempts as the client makes; returns within a bounded time.
template <class C>
concept ChatClient = requires(const C& client, const ChatRequest& request) {
  { client.complete(request) } -> std::same_as<std::string>;
};

/// One readable sentence if C is not a ChatClient.
template <class C>
consteval bool check_chat_client() {
  static_assert(ChatClient<C>,
                "dualagent: a ChatClient needs 'std::string complete(const ChatRequest&) const'; "
                "see docs/rewards.md#a-judge");
  return true;
}

}  // namespace dualagent
