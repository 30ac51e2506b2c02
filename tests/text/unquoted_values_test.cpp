#include "dualagent/text/unquoted_values.hpp"

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;

namespace {

constexpr std::array<std::string_view, 2> kTags{"<v>", "</v>"};

/// The values of a tool `f` whose argument `x` has that schema.
UnquotedValues of_schema(const std::string& schema) {
  return UnquotedValues::of(
      std::vector<ToolSpec>{{"f", "", R"({"properties": {"x": )" + schema + "}}"}});
}
std::string read(const std::string& schema, const std::string& said) {
  return of_schema(schema).read("f", "x", said);
}
std::string write(const std::string& schema, const std::string& json) {
  return of_schema(schema).write("f", "x", json, kTags, "a call");
}

}  // namespace

TEST_CASE("an unquoted value is what it spells where its schema admits that type", "[text]") {
  CHECK(read("{}", "1") == "1");
  CHECK(read("{}", "one") == R"("one")");
  CHECK(read("{}", " [1, 2] ") == "[1, 2]");
  CHECK(read(R"({"type": "string"})", " 1\n") == R"(" 1\n")");
  CHECK(read(R"({"type": ["string", "null"]})", "None") == "null");
  CHECK(read(R"({"type": ["string", "number"]})", "True") == R"("True")");
  CHECK(read(R"({"type": "boolean"})", "True") == "true");
  CHECK(of_schema(R"({"type": "string"})").read("f", "y", "1") == "1");
  CHECK(of_schema(R"({"type": "string"})").read("g", "x", "1") == "1");
}

TEST_CASE("a value is written as it is read back, with quotes only where it must have them",
          "[text]") {
  CHECK(write("{}", R"("one <b> line\n")") == "one <b> line\n");
  CHECK(write("{}", R"("1")") == R"("1")");
  CHECK(write("{}", R"("None")") == R"("None")");
  CHECK(write(R"({"type": "string"})", R"("1")") == "1");
  CHECK(write("{}", R"({"a": "<b>"})") == R"({"a": "<b>"})");
  CHECK(write("{}", R"({"a": "<b></v>"})") == R"({"a": "\u003cb>\u003c/v>"})");
  CHECK(write("{}", R"("a<v>")") == R"("a\u003cv>")");
}

TEST_CASE("a value that cannot be read back is refused", "[text]") {
  CHECK_THROWS_WITH(write(R"({"type": "string"})", "1"),
                    ContainsSubstring("'x' cannot be written: its schema wants a text") &&
                        ContainsSubstring("a call"));
  CHECK_THROWS_WITH(write(R"({"type": "string"})", R"("</v>")"),
                    ContainsSubstring("'x' cannot be written: its text holds a tag"));
  CHECK_THROWS_WITH(write(R"({"type": ["string", "null"]})", R"("null")"),
                    ContainsSubstring("spells null"));
  CHECK_THROWS_WITH(UnquotedValues::of(std::vector<ToolSpec>{{"f", "", "[]"}}),
                    ContainsSubstring("not a JSON object"));
}
