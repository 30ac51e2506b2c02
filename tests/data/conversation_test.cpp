#include "dualagent/data/conversation.hpp"

#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("a message is trained unless it says otherwise, and of the user", "[data]") {
  const ConversationMessage message;
  CHECK(message.trained);
  CHECK(message.speaker == Speaker::user);
  CHECK(!Conversation{}.system.has_value());
  CHECK(!Conversation{}.tools.has_value());
}
