#include "dualagent/data/message_content.hpp"

#include <string>

#include "support/catch.hpp"

using namespace dualagent;

namespace {
std::optional<std::string> content(const std::string& message) {
  return message_content(nlohmann::json::parse(message), "f:1", "Give a text");
}
}  // namespace

TEST_CASE("content is a text, a list of text parts, or not there", "[data]") {
  CHECK(content(R"({"content": "a"})") == "a");
  CHECK(content(R"({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]})") ==
        "ab");
  CHECK(content(R"({"content": []})") == "");
  CHECK(content(R"({"content": null})") == std::nullopt);
  CHECK(content("{}") == std::nullopt);
  for (const char* bad :
       {R"({"content": 7})", R"({"content": {"type": "text", "text": "a"}})",
        R"({"content": [{"type": "image_url", "text": "a"}]})", R"({"content": ["a"]})",
        R"({"content": [{"type": "text"}]})", R"({"content": [{"type": "text", "text": 1}]})"}) {
    INFO(bad);
    CHECK_THROWS_WITH(content(bad), ContainsSubstring("f:1") && ContainsSubstring("content"));
  }
}
