#include "dualagent/text/json_call.hpp"

#include <string>
#include <string_view>
#include <vector>

#include "support/catch.hpp"
#include "support/error_of.hpp"

using namespace dualagent;

namespace {

/// "TOOL ARGUMENTS, END", or the fault.
std::string read(std::string_view said, std::size_t at = 0) {
  const JsonCall call = read_json_call(said, at, "arguments");
  if (!call.fault.empty()) return "fault: " + call.fault;
  return call.call.tool + " " + call.call.arguments + ", " + std::to_string(call.end);
}

}  // namespace

TEST_CASE("a JSON call has a name and an object of arguments, in any order", "[text]") {
  CHECK(read(R"({"name": "look", "arguments": {"a": 1}})") == R"(look {"a": 1}, 39)");
  CHECK(read(R"(say {"arguments":{},"name":"l\u006fok"} more)", 4) == "look {}, 39");
}

TEST_CASE("a JSON call has an id where the format has one", "[text]") {
  const std::string said = R"({"name": "look", "id": "a\u0062", "arguments": {}})";
  CHECK(read_json_call(said, 0, "arguments", "id").call.id == "ab");
  CHECK_THAT(read(said), ContainsSubstring("unknown key \"id\""));
  CHECK(read_json_call(R"({"name": "look", "arguments": {}})", 0, "arguments", "id").call.id == "");
  const auto fault = [](std::string_view text) {
    return read_json_call(text, 0, "arguments", "id").fault;
  };
  CHECK_THAT(fault(R"({"id": "a", "id": "a"})"), ContainsSubstring("\"id\" is given twice"));
  CHECK_THAT(fault(R"({"id": 7})"), ContainsSubstring("\"id\" must be a text"));
}

TEST_CASE("what a JSON call lacks or has too much is named", "[text]") {
  CHECK_THAT(read(R"({"name": "look"})"), ContainsSubstring("key \"arguments\" is missing"));
  CHECK_THAT(read(R"({"arguments": {}})"), ContainsSubstring("key \"name\" is missing"));
  CHECK_THAT(read("{}"), ContainsSubstring("key \"name\" is missing at byte 0"));
  CHECK_THAT(read(R"({"name": "a", "name": "b", "arguments": {}})"),
             ContainsSubstring("\"name\" is given twice"));
  CHECK_THAT(read(R"({"name": "a", "arguments": {}, "arguments": {}})"),
             ContainsSubstring("\"arguments\" is given twice"));
  CHECK_THAT(read(R"({"name": 7, "arguments": {}})"), ContainsSubstring("must be the name"));
  CHECK_THAT(read(R"({"name": "", "arguments": {}})"), ContainsSubstring("must be the name"));
  for (const char* arguments : {"[]", "\"{}\"", "null", "7"})
    CHECK_THAT(read(std::string(R"({"name": "a", "arguments": )") + arguments + "}"),
               ContainsSubstring("\"arguments\" must be a JSON object"));
  CHECK_THAT(read(R"({"name": "a", "arguments": {}, "id": 1})"),
             ContainsSubstring("unknown key \"id\""));
}

TEST_CASE("a JSON call that is broken anywhere has a fault and no crash", "[text]") {
  const std::string whole = R"({"name": "look", "arguments": {"a": [1, "}"]}})";
  CHECK(read(whole) == R"(look {"a": [1, "}"]}, 46)");
  for (std::size_t size = 0; size < whole.size(); ++size)
    CHECK_THAT(read(whole.substr(0, size)), ContainsSubstring("fault: "));
  CHECK_THAT(read(std::string(500, '{')), ContainsSubstring("fault: "));
}

TEST_CASE("an object that looks like a call is found in a text", "[text]") {
  constexpr auto kNone = std::string_view::npos;
  CHECK(find_call_in_text(R"(so {"name": "a", "arguments": {}})") == 3);
  CHECK(find_call_in_text(R"({ "parameters": {}, "name": "a"})") == 0);
  CHECK(find_call_in_text(R"(the set {1} and {"name": "a", "arguments": {}})") == 16);
  CHECK(find_call_in_text(R"({"name": "Ada", "age": 36})") == kNone);
  CHECK(find_call_in_text(R"({"x": 1, "name": 2, "arguments": 3})") == kNone);
  CHECK(find_call_in_text(R"("name" "arguments" {)") == kNone);  // nothing of a call follows
  CHECK(find_call_in_text("") == kNone);
}

TEST_CASE("calls are written as they are read, and not at all if they cannot be", "[text]") {
  const ToolCall call{.tool = "a \"b\"", .arguments = R"({"x": 1})"};
  CHECK(write_json_call(call, "parameters", "test") ==
        R"({"name": "a \"b\"", "parameters": {"x": 1}})");
  const auto error = [](const ToolCall& bad) {
    return error_of([&] { check_writable(bad, "the format"); });
  };
  CHECK(error(call) == "no error");
  CHECK_THAT(error({.tool = "", .arguments = "{}"}), ContainsSubstring("no tool name"));
  CHECK_THAT(error({.tool = "a\xFF", .arguments = "{}"}), ContainsSubstring("not valid UTF-8"));
  CHECK_THAT(error({.tool = "a", .arguments = ""}), ContainsSubstring("not a JSON object"));
  CHECK_THAT(error({.tool = "a", .arguments = "[]"}), ContainsSubstring("not a JSON object"));
  CHECK_THAT(
      error({.tool = "a", .arguments = "{"}),
      ContainsSubstring("not a JSON object") && ContainsSubstring("the format, call of 'a'"));
  CHECK_THAT(error({.tool = "a", .arguments = "{} {}"}), ContainsSubstring("text follows it"));
}

TEST_CASE("a tool is described as Python's json.dumps spaces it", "[text]") {
  CHECK(tool_spec_json({"add", "Adds \"a\"", R"({"type": "object"})"}) ==
        R"({"type": "function", "function": {"name": "add", "description": "Adds \"a\"", )"
        R"("parameters": {"type": "object"}}})");
}

TEST_CASE("tools are listed one to a line, as Python writes JSON", "[text]") {
  CHECK_THAT(tool_signatures(std::vector<ToolSpec>{{"a", "says \"hi\"", "{}"}, {"b", "", "{}"}}),
             ContainsSubstring("<tools>\n{\"type\": \"function\", \"function\": {\"name\": \"a\", "
                               "\"description\": \"says \\\"hi\\\"\", \"parameters\": {}}}\n"
                               "{\"type\": \"function\", \"function\": {\"name\": \"b\", "
                               "\"description\": \"\", \"parameters\": {}}}\n</tools>"));
}
