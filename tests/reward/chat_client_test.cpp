#include "dualagent/reward/chat_client.hpp"

#include <string>

#include "support/catch.hpp"

using namespace dualagent;

namespace {
struct Echo {
  std::string complete(const ChatRequest& request) const { return request.messages.back().text; }
};
struct NotConstant {
  std::string complete(const ChatRequest&) { return ""; }
};
struct SaysNumber {
  int complete(const ChatRequest&) const { return 1; }
};
struct SaysPointer {
  const char* complete(const ChatRequest&) const { return ""; }
};
}  // namespace

TEST_CASE("a chat client completes a request, from several threads, as a string", "[reward]") {
  CHECK(ChatClient<Echo>);
  CHECK(check_chat_client<Echo>());
  CHECK_FALSE(ChatClient<NotConstant>);
  CHECK_FALSE(ChatClient<SaysNumber>);
  CHECK_FALSE(ChatClient<SaysPointer>);
  CHECK_FALSE(ChatClient<int>);
}

TEST_CASE("a request that sets nothing samples at temperature 1", "[reward]") {
  const ChatRequest request{.messages = {{"system", "Be brief."}, {"user", "Hi"}}};
  CHECK(Echo{}.complete(request) == "Hi");
  CHECK(request.model.empty());
  CHECK(request.temperature == 1.0);
  CHECK(request.max_tokens == 1024);
}
