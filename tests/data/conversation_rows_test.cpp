#include "dualagent/data/conversation_rows.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;

namespace {

const std::string kUser = R"({"role": "user", "content": "u"})";
const std::string kAnswer = R"({"role": "assistant", "content": "a"})";

std::string call(const std::string& id, const std::string& arguments = R"({"x": 1})") {
  return R"({"role": "assistant", "tool_calls": [{"id": ")" + id +
         R"(", "type": "function", "function": {"name": "f", "arguments": )" + arguments + "}}]}";
}
std::string reply(const std::string& more = "") {
  return R"({"role": "tool", "content": "r")" + (more.empty() ? "" : ", " + more) + "}";
}

std::string row(const std::vector<std::string>& messages, const std::string& more = "") {
  std::string text = "{\"messages\": [";
  for (std::size_t i = 0; i < messages.size(); ++i) text += (i == 0 ? "" : ", ") + messages[i];
  return text + "]" + more + "}";
}

Conversation read(const std::string& text) { return ConversationRows{}.read(text, "f.jsonl:3"); }

void refused(const std::string& text, const std::string& where, const std::string& why) {
  INFO(text);
  CHECK_THROWS_WITH(read(text), ContainsSubstring("(f.jsonl:3" + where) && ContainsSubstring(why));
}
void refused_message(const std::string& message, const std::string& why) {
  refused(row({kUser, message}), ", messages[1]", why);
}

}  // namespace

TEST_CASE("a conversation in OpenAI's form is read", "[data]") {
  const Conversation c = read(R"({"id": 7, "tools": [{"type": "function", "function":
      {"name": "f", "description": "d", "parameters": {"type":"object","n":1.50}}}],
      "messages": [{"role": "system", "content": "s"},
      {"role": "user", "content": [{"type": "text", "text": "1 "}, {"type": "text", "text": "+"}]},
      {"role": "assistant", "content": null, "refusal": null, "tool_calls": [
        {"id": "p", "type": "function", "function": {"name": "f", "arguments": "{\"x\":1}"}},
        {"id": "q", "type": "function", "function": {"name": "f", "arguments": ""}}]},
      {"role": "tool", "tool_call_id": "q", "content": "second"},
      {"role": "tool", "tool_call_id": "p", "name": "f", "content": ""},
      {"role": "assistant", "content": "2", "reasoning_content": "easy", "weight": 1}]})");
  CHECK(c.system == "s");
  CHECK(c.where == "f.jsonl:3");
  REQUIRE(c.messages.size() == 3);
  CHECK(c.messages[0].said.text == "1 +");
  CHECK(c.messages[1].index == 2);
  REQUIRE(c.messages[1].said.calls.size() == 2);
  CHECK(c.messages[1].said.calls[0].arguments == "{\"x\":1}");  // a text stays as it is
  CHECK(c.messages[1].said.calls[1].arguments == "{}");
  CHECK(c.messages[1].said.calls[1].id == "q");
  CHECK(c.messages[1].replies == std::vector<std::string>{"", "second"});  // in order of the calls
  CHECK(c.messages[2].said.thoughts == "easy");
  CHECK(c.messages[2].trained);
}

TEST_CASE("a conversation in Hugging Face's form is read, numbers with all their digits",
          "[data]") {
  const Conversation c = read(
      R"({"messages": [{"role":"user","content":"u","tool_calls":null},
      {"role":"assistant","content":"t","tool_calls":[{"name":"g","arguments":
        {"b":123456789012345678901234567890,"a":[1.50,"é"]}}]},
      {"role":"tool","name":"g","content":"r"},{"role":"summarizer","content":"s"},
      {"role":"assistant","content":"a","weight":0}],
      "tools": [{"name":"g","description":"","parameters":{"type":"object"}}]})");
  REQUIRE(c.messages.size() == 4);
  CHECK(c.messages[1].said.text == "t");
  CHECK(c.messages[1].said.calls.at(0).arguments ==
        R"({"b": 123456789012345678901234567890, "a": [1.50, "é"]})");
  CHECK(c.messages[1].replies == std::vector<std::string>{"r"});
  CHECK(c.messages[2].speaker == Speaker::summarizer);
  CHECK(c.messages[2].trained);
  CHECK(!c.messages[3].trained);
  REQUIRE(c.tools);
  CHECK(c.tools->at(0).parameters == R"({"type": "object"})");
  CHECK(c.tools->at(0).description.empty());
}

TEST_CASE("a conversation may end with calls, answered or not", "[data]") {
  CHECK(read(row({kUser, call("p")})).messages.at(1).replies.empty());
  CHECK(read(row({kUser, call("p"), reply()})).messages.at(1).replies.size() == 1);
}

TEST_CASE("rows that cannot be meant are refused with file and line", "[data]") {
  refused("[]", "", "the row is not a JSON object");
  refused("{\"messages\": [}", "", "not valid JSON");
  refused(R"({"mesages": []})", "", "no \"messages\"; it has \"mesages\"");
  refused(R"({"messages": []})", "", "or an empty one");
  refused(R"({"messages": "u"})", "", "not a list");
  refused(row({kUser, kAnswer}, R"(, "function": [])"), "", "unknown key \"function\"");
  refused(row({kUser, kAnswer}, R"(, "tool": [])"), "", "did you mean \"tools\"?");
  refused(row({kUser, kAnswer}, R"(, "tools": {})"), "", "\"tools\" is not a list");
  refused(row({kUser, kAnswer}, R"(, "tools": [{"name": "f", "strict": true}])"), ", tools[0]",
          "unknown key \"strict\"");
  refused(row({kUser, kAnswer}, R"(, "tools": [{"description": "f"}])"), ", tools[0]", "no name");
  refused(row({kUser}), "", "nothing is to be learned");
  refused(row({kUser, R"({"role": "assistant", "content": "a", "weight": 0})"}), "",
          "nothing is to be learned");
  refused(row({kUser, call("p"), call("q")}), ", messages[2]", "has no reply");
  CHECK_NOTHROW(ConversationRows{.other_keys = {"score", "name"}}.read(
      row({R"({"role": "user", "content": "u", "name": "Jo"})", kAnswer}, R"(, "score": 7)"), ""));
}

TEST_CASE("messages that cannot be meant are refused with their index", "[data]") {
  refused_message("7", "not a JSON object");
  refused_message(R"({"content": "a"})", "\"role\" is missing");
  refused_message(R"({"role": "developer", "content": "a"})", "\"developer\"");
  refused_message(R"({"role": "assistant"})", "neither content nor calls");
  refused_message(R"({"role": "assistant", "content": 7})", "neither a text nor a list");
  refused_message(R"({"role": "assistant", "content": [{"type": "image"}]})", "not text");
  refused_message(R"({"role": "assistant", "content": " \n"})", "white space");
  refused_message(R"({"role": "assistant", "content": "a", "reasoning": "r"})", "\"reasoning\"");
  refused_message(R"({"role": "assistant", "content": "a", "reasoning_content": 1})", "not a text");
  refused_message(R"({"role": "assistant", "content": "a", "weight": 0.5})", "neither 0 nor 1");
  refused_message(R"({"role": "assistant", "content": "a", "tool_calls": 1})", "not a list");
  refused_message(R"({"role": "assistant", "tool_calls": [1]})", "not a JSON object");
  refused_message(R"({"role": "assistant", "tool_calls": [{"function": {"arguments": {}}}]})",
                  "names no tool");
  refused_message(R"({"role": "assistant", "tool_calls": [{"name": "f", "type": "code",
                     "arguments": {}}]})",
                  "not \"function\"");
  refused_message(R"({"role": "assistant", "tool_calls": [{"name": "f"}]})", "\"arguments\"");
  refused_message(call("p", "[]"), "neither a JSON object nor a text");
  refused_message(call("p", R"("[1]")"), "not a JSON object");
  refused_message(call("p", R"("{\"x\": 1, \"x\": 2}")"), "twice");
  refused_message(R"({"role": "assistant", "tool_calls": [{"id": "p", "name": "f", "arguments": {}},
                     {"id": "p", "name": "f", "arguments": {}}]})",
                  "two calls have the id");
  refused_message(R"({"role": "system", "content": "s"})", "not the first");
  refused(row({R"({"role": "system", "content": ""})", kUser, kAnswer}), ", messages[0]", "empty");
  refused(row({R"({"role": "user", "content": ""})", kAnswer}), ", messages[0]", "empty");
}

TEST_CASE("messages that cannot follow one another are refused", "[data]") {
  refused(row({kAnswer}), ", messages[0]", "begins with the user");
  refused(row({kUser, kUser, kAnswer}), ", messages[1]", "assistant's turn is due");
  refused(row({kUser, kAnswer, kAnswer}), ", messages[2]", "follows the assistant's own");
  const std::string summary = R"({"role": "summarizer", "content": "s"})";
  refused(row({kUser, kAnswer, summary}), ", messages[2]", "follows the assistant's own");
  refused(row({kUser, summary, kAnswer}), ", messages[1]", "no history");
  refused(row({kUser, call("p"), reply(), summary, summary}), ", messages[4]", "another one");
  refused(row({kUser, call("p"), reply(), summary, kUser}), ", messages[4]", "turn is due");
  refused_message(reply(), "no call stands before it");
  refused(row({kUser, kAnswer, reply()}), ", messages[2]", "no call stands before it");
  refused(row({kUser, call("p"), reply(), reply()}), ", messages[3]", "every call has a reply");
  refused(row({kUser, call("p"), reply(R"("tool_call_id": "q")")}), ", messages[2]",
          "no call has the id \"q\"");
  refused(row({kUser, call("p"), reply(R"("tool_call_id": "p")"), reply(R"("tool_call_id": "p")")}),
          ", messages[3]", "has a reply already");
  refused(row({kUser, call("p"), reply(R"("name": "g")")}), ", messages[2]", "the call was of 'f'");
  refused(row({kUser, call("p"), R"({"role": "tool"})"}), ", messages[2]", "no content");
  refused(row({kUser, call("p"), kAnswer}), ", messages[2]", "call 1 of the message before");
  CHECK_NOTHROW(
      read(row({kUser, R"({"role": "summarizer", "content": "s", "weight": 0})", kAnswer})));
}
