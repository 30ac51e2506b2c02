#include "dualagent/text/known_templates.hpp"

#include <fstream>
#include <set>
#include <string>
#include <string_view>

#include "support/catch.hpp"
#include "support/chats.hpp"

using namespace dualagent;
using chats::Json;

namespace {

/// Made by golden/chat_templates/make_known_templates.py with transformers.
const Json& golden() {
  static const Json stored =
      Json::parse(std::ifstream(DUALAGENT_TEST_DATA "/chat_templates/known_templates.json"));
  return stored;
}

std::string replaced(std::string text, std::string_view what, std::string_view by) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size())
    text.replace(at, what.size(), by);
  return text;
}

constexpr std::string_view kThought = "2 and 2 make 4";

/// What a model says in a message, thoughts included: the golden's where it has one. The
/// templates of DeepSeek and QwQ drop them, so that one is made up.
std::string said(const std::string& name, const AnyChatTemplate& chat, const AnyCallFormat& calls,
                 const Json& message) {
  const std::string spoken = chats::spoken(calls, message, std::string(calls.before_calls));
  const std::string thought = message.at("reasoning_content");
  const std::string made_up(kThought);
  if (name == "deepseek-r1") return made_up + "\n</think>" + spoken;
  if (name == "deepseek-r1-0528") return "<think>\n" + made_up + "\n</think>" + spoken;
  if (name == "deepseek-v3.1") return made_up + "</think>" + spoken;
  if (name == "qwq") return made_up + "\n</think>\n\n" + spoken;
  Pieces pieces;
  chat.said(pieces, thought, message.at("content").get<std::string>());
  return pieces.str() + spoken.substr(message.at("content").get<std::string>().size());
}

/// Our text with the thoughts that the templates of DeepSeek and QwQ drop dropped by hand.
std::string as_the_model_writes(const std::string& name, const std::string& ours) {
  const std::string thought(kThought);
  if (name == "deepseek-v3.1") return replaced(ours, "<think>" + thought, "");
  if (name == "qwq") return replaced(ours, "<think>\n" + thought + "\n</think>\n\n", "");
  return replaced(ours, "<think>\n" + thought + "\n</think>", "");
}

std::string rendered(const Json& entry, const Json& conversation, DialectOptions options) {
  options.chat.tools = chats::tools_of(golden().at("tools"), conversation);
  const std::string name = entry.at("name");
  const KnownTemplate* known = known_template(name);
  REQUIRE(known != nullptr);
  const AnyCallFormat calls = known->calls(options);
  const Pieces pieces = chats::rendered(
      known->chat(options), calls, golden().at("tools"), conversation,
      [&](const Json& message) { return said(name, known->chat(options), calls, message); });
  return as_the_model_writes(name, pieces.str());
}

}  // namespace

TEST_CASE("every known template writes what transformers writes", "[text][golden]") {
  REQUIRE(golden().at("templates").size() == known_templates().size());
  for (const Json& entry : golden().at("templates"))
    for (const Json& conversation : entry.at("cases")) {
      INFO(entry.at("name"));
      CHECK(rendered(entry, conversation, {.today = "5 May 2025"}) ==
            conversation.at("text").get<std::string>());
    }
}

TEST_CASE("templates that can leave thoughts out write what transformers writes without them",
          "[text][golden]") {
  REQUIRE(golden().at("silent").size() == 5);
  for (const Json& entry : golden().at("silent"))
    for (const Json& conversation : entry.at("cases")) {
      INFO(entry.at("name"));
      CHECK(rendered(entry, conversation, {.thinking = Thinking::off}) ==
            conversation.at("text").get<std::string>());
    }
}

TEST_CASE("the table of digests holds the Jinja texts that were rendered, and no other",
          "[text][golden]") {
  std::set<std::string> rendered_digests;
  for (const Json& entry : golden().at("templates"))
    for (const std::string digest : entry.at("sha256")) {
      rendered_digests.insert(digest);
      std::string_view name;
      for (const auto& known : detail::known_digests())
        if (known.sha256 == digest) name = known.name;
      CHECK(name == entry.at("name").get<std::string>());
    }
  CHECK(rendered_digests.size() == detail::known_digests().size());
}

TEST_CASE("a Jinja text is recognised whatever its line ends, and not when a byte differs",
          "[text][golden]") {
  std::size_t texts = 0;
  for (const Json& entry : golden().at("templates")) {
    if (!entry.contains("jinja")) continue;
    const std::string jinja = entry.at("jinja");
    ++texts;
    for (const std::string& text :
         {jinja, replaced(jinja, "\n", "\r\n"), replaced(jinja, "\n", "\r")}) {
      const KnownTemplate* known = recognized_template(text);
      REQUIRE(known != nullptr);
      CHECK(known->name == entry.at("name").get<std::string>());
    }
    CHECK(recognized_template(jinja + " ") == nullptr);
    CHECK(jinja.find(known_template(entry.at("name").get<std::string>())->mark) !=
          std::string::npos);
  }
  CHECK(texts >= 10);
}
