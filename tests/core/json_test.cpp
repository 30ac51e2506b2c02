#include "dualagent/core/json.hpp"

#include <string>

#include "support/catch.hpp"
#include "support/error_of.hpp"

using namespace dualagent;

namespace {

const std::string kRemedy = "Write it again";

}  // namespace

TEST_CASE("strict JSON is parsed", "[core][json]") {
  const auto value = parse_json(R"({"a": [1, 2.5, "x"], "b": {"a": null}})", "t", kRemedy);
  CHECK(value["a"][1] == 2.5);
  CHECK(value["b"]["a"].is_null());
}

TEST_CASE("the tree is the one that nlohmann_json makes", "[core][json]") {
  for (const std::string text :
       {"null", "true", "-7", "18446744073709551615", "-9223372036854775808", "1.5e-3", "-0",
        "18446744073709551616", R"("\u00e9\n")", "[]", "{}",
        R"([[], {}, [{"a": []}], null, false])",
        R"({"b": {"d": [1, {"e": -2}], "c": "x"}, "a": 0.1, "": [[], [[]]]})"}) {
    INFO(text);
    const auto tree = parse_json(text, "t", kRemedy);
    CHECK(tree == nlohmann::json::parse(text));
    CHECK(tree.type() == nlohmann::json::parse(text).type());
    CHECK(parse_json<nlohmann::ordered_json>(text, "t", kRemedy).dump() ==
          nlohmann::ordered_json::parse(text).dump());
  }
}

TEST_CASE("broken JSON is an error that names the source", "[core][json]") {
  for (const std::string text :
       {"", "{", "{\"a\" 1}", "[1,]", "{} x", "nul", "\"\xFF\"", "1e999"}) {
    INFO(text);
    CHECK_THROWS_WITH(
        parse_json(text, "file.json", kRemedy),
        ContainsSubstring("not valid JSON") && ContainsSubstring("(file.json). Write it again"));
  }
}

TEST_CASE("nothing behind a value is lost, a NUL byte included", "[core][json]") {
  const std::string nul(1, '\0');
  for (const std::string& text :
       {"{\"a\": 1}" + nul + "{\"a\": 2}", "1" + nul, nul + "1", "[1," + nul + "2]",
        "\"a" + nul + "\"", std::string("1 2"), std::string("{}{}"), std::string("{} null"),
        std::string("NaN"), std::string("[Infinity]"), std::string("1,")}) {
    INFO(text);
    CHECK_THROWS_WITH(parse_json(text, "file.json", kRemedy),
                      ContainsSubstring("not valid JSON") && ContainsSubstring("file.json"));
  }
  CHECK_THROWS_WITH(parse_json("{}" + nul, "t", kRemedy), ContainsSubstring("byte 2 is NUL"));
  CHECK(parse_json("\"\\u0000\"", "t", kRemedy) == nul);
  CHECK(parse_json(" {} \r\n", "t", kRemedy).empty());
}

TEST_CASE("the order of keys is kept by the type that keeps it", "[core][json]") {
  const auto ordered = parse_json<nlohmann::ordered_json>(R"({"b": 1, "a": 2})", "t", kRemedy);
  CHECK(ordered.dump() == R"({"b":1,"a":2})");
}

TEST_CASE("a duplicate key is refused in every object, but not across objects", "[core][json]") {
  CHECK_THROWS_WITH(parse_json(R"({"a": 1, "a": 2})", "t", kRemedy),
                    ContainsSubstring("key 'a' twice"));
  CHECK_THROWS_AS(parse_json(R"([{"b": {"a": 1, "a": 1}}])", "t", kRemedy), Error);
  CHECK_NOTHROW(parse_json(R"({"a": {"a": {"a": 1}}, "b": {"a": 1}, "c": [{"a": 1}, {"a": 1}]})",
                           "t", kRemedy));
}

TEST_CASE("nesting beyond the limit is refused before it costs memory", "[core][json]") {
  CHECK_NOTHROW(parse_json("[[1]]", "t", kRemedy, {.max_depth = 2}));
  CHECK_THROWS_WITH(parse_json("[[[1]]]", "t", kRemedy, {.max_depth = 2}),
                    ContainsSubstring("deeper than 2"));
  CHECK_THROWS_AS(parse_json(std::string(1'000'000, '['), "t", kRemedy), Error);
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  CHECK_THROWS_AS(parse_json(objects, "t", kRemedy), Error);
}

TEST_CASE("string literals escape what JSON requires and keep the rest", "[core][json]") {
  CHECK(to_json_string("a\"b\\c/", "t") == R"("a\"b\\c/")");
  CHECK(to_json_string("\b\f\n\r\t\x01\x1F\x7F", "t") == "\"\\b\\f\\n\\r\\t\\u0001\\u001f\x7F\"");
  CHECK(to_json_string("\xC3\xA9\xF0\x9F\x98\x80", "t") == "\"\xC3\xA9\xF0\x9F\x98\x80\"");
  CHECK(to_json_string(std::string("\0", 1), "t") == "\"\\u0000\"");
  CHECK_THROWS_WITH(to_json_string("ab\xFF", "t"), ContainsSubstring("at byte 2"));
  CHECK_THROWS_AS(to_json_string("\xC0\x80", "t"), Error);
}

TEST_CASE("a number that no token can hold is not cut down to a token's id", "[core][json]") {
  CHECK(token_id(nlohmann::json::parse("0")) == 0);
  CHECK(token_id(nlohmann::json::parse("2147483647")) == 2147483647);
  CHECK(token_id(nlohmann::json(7)) == 7);  // with a sign, as nlohmann_json holds an int
  for (const char* id : {"4294967296", "4294967303", "2147483648", "18446744073709551615", "-1",
                         "-4294967289", "7.0", "\"7\"", "null", "true", "[7]"})
    CHECK(!token_id(nlohmann::json::parse(id)));
}

TEST_CASE("a count is a whole number from 0 on, within its limits", "[core][json]") {
  const auto count = [](const char* text, CountLimits limits = {}) {
    return count_of(nlohmann::json::parse(text), limits);
  };
  CHECK(count("0") == 0);
  CHECK(count("18446744073709551615") == 18446744073709551615U);
  CHECK(count_of(nlohmann::json(7)) == 7);  // with a sign, as nlohmann_json holds an int
  CHECK(!count_of(nlohmann::json(-7)));
  for (const char* text : {"-1", "-9223372036854775808", "5.0", "1e3", "1e30",
                           "18446744073709551616", "\"7\"", "null", "true", "[7]", "{}"}) {
    INFO(text);
    CHECK(!count(text));
  }
  CHECK(!count("0", {.least = 1}));
  CHECK(count("1", {.least = 1}) == 1);
  CHECK(count("9", {.most = 9}) == 9);
  CHECK(!count("10", {.most = 9}));
}

TEST_CASE("a value that is not a count is refused with key, value and place", "[core][json]") {
  const auto refusal = [](const char* text, CountLimits limits = {}) {
    const auto object = nlohmann::json::parse(text);
    return error_of([&] { require_count_at(object, "tasks", "r.json", kRemedy, limits); });
  };
  CHECK(refusal(R"({"tasks": 3})") == "no error");
  CHECK(refusal(R"({"tasks": -3})") ==
        "tasks is -3, not a whole number of at least 0 (r.json). Write it again");
  CHECK(refusal(R"({"tasks": 8})", {.least = 1, .most = 7}) ==
        "tasks is 8, not a whole number from 1 to 7 (r.json). Write it again");
  CHECK(refusal(R"({"task": 3})") == "tasks is missing; it has \"task\" (r.json). Write it again");
  CHECK(refusal("[3]") == "tasks is missing (r.json). Write it again");
  CHECK(error_of([&] {
          require_count(nlohmann::json::array({std::string(100, 'x')}), "n", "p", kRemedy);
        }) == "n is [\"" + std::string(38, 'x') +
                  "..., not a whole number of at least 0 (p). Write it again");
}

TEST_CASE("every character survives a round trip", "[core][json]") {
  std::string text;
  for (char c = 0; c < 0x7F; ++c) text += c;
  text += "\xC2\x80\xEF\xBF\xBF";
  CHECK(parse_json(to_json_string(text, "t"), "t", kRemedy).get<std::string>() == text);
}
