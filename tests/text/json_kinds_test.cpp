#include "dualagent/text/json_kinds.hpp"

#include <string>

#include "support/catch.hpp"

using namespace dualagent;

namespace {

JsonKinds kinds_of(const std::string& schema) {
  const auto root = nlohmann::json::parse(schema);
  return admitted_kinds(root, root);
}

}  // namespace

TEST_CASE("a schema admits the types that all of its keywords admit", "[text]") {
  using enum JsonKinds;
  CHECK(kinds_of("{}") == any);
  CHECK(kinds_of(R"({"minLength": 3})") == any);
  CHECK(kinds_of(R"({"type": "integer"})") == number);
  CHECK(kinds_of(R"({"type": ["array", "object"]})") == (array | object));
  CHECK(kinds_of(R"({"type": "colour"})") == any);
  CHECK(kinds_of(R"({"enum": [1, "a", null, true, [], {}]})") == any);
  CHECK(kinds_of(R"({"const": {"type": "string"}})") == object);
  CHECK(kinds_of(R"({"type": ["string", "null"], "enum": ["a"]})") == text);
  CHECK(kinds_of(R"({"anyOf": [{"type": "string"}, {}]})") == any);
  CHECK(
      kinds_of(R"({"allOf": [{"type": ["string", "boolean"]}, {"type": ["boolean", "null"]}]})") ==
      boolean);
  CHECK(kinds_of(R"({"type": "string", "const": 1})") == none);
}

TEST_CASE("a reference is followed inside the root, without end it says nothing", "[text]") {
  CHECK(kinds_of(R"({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b~1c"},
                     "b/c": {"type": "null"}}})") == JsonKinds::null);
  CHECK(kinds_of(R"({"$ref": "#"})") == JsonKinds::any);
  CHECK(kinds_of(R"({"$ref": "#/none"})") == JsonKinds::any);
  CHECK(kinds_of(R"({"$ref": "#/~2"})") == JsonKinds::any);
  CHECK(kinds_of(R"({"$ref": "https://example.com/a.json"})") == JsonKinds::any);
  CHECK(kinds_of(R"({"$ref": "#/$defs/a", "$defs": {"a": {"anyOf": [
                     {"$ref": "#/$defs/a"}, {"$ref": "#/$defs/a"}]}}})") == JsonKinds::any);
}

TEST_CASE("references are followed 63 deep, which bounds the stack", "[text]") {
  const auto chain = [](int references) {  // a0 -> a1 -> ... -> null
    std::string text = R"({"$ref": "#/$defs/a0", "$defs": {)";
    for (int i = 0; i + 1 < references; ++i)
      text +=
          "\"a" + std::to_string(i) + R"(": {"$ref": "#/$defs/a)" + std::to_string(i + 1) + "\"},";
    return text + "\"a" + std::to_string(references - 1) + R"(": {"type": "null"}}})";
  };
  CHECK(kinds_of(chain(1)) == JsonKinds::null);
  CHECK(kinds_of(chain(63)) == JsonKinds::null);
  CHECK(kinds_of(chain(64)) == JsonKinds::any);
  CHECK(kinds_of(chain(2000)) == JsonKinds::any);
}

TEST_CASE("the first character of a JSON value tells its type", "[text]") {
  for (const char* value : {"null", "true", "false", "-1", "0", "\"a\"", "[]", "{}"})
    CHECK(kind_of_json(*value) == kinds_of("{\"const\": " + std::string(value) + "}"));
}
