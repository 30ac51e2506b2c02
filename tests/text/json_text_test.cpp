#include "dualagent/text/json_text.hpp"

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "laws/call_format_laws.hpp"
#include "support/catch.hpp"

using namespace dualagent;

namespace {

bool is_whole(const std::string& text) {
  const JsonEnd end = skip_json_value(text, 0);
  return end.whole() && end.at == text.size();
}

std::string fault(const std::string& text) {
  const JsonEnd end = skip_json_value(text, 0);
  return end.whole() ? "" : std::to_string(end.at) + ": " + end.fault;
}

}  // namespace

TEST_CASE("a JSON value is skipped to its end, whatever follows", "[text]") {
  CHECK(skip_json_value(R"({"a": [1, {"b": "}"}]} tail)", 0).at == 22);
  CHECK(skip_json_value("xx[ ]", 2).at == 5);
  CHECK(skip_json_value("-0.5e+10,", 0).at == 8);
  CHECK(skip_json_value("\"\\u00fc\\\"\"", 0).at == 10);
  CHECK(skip_json_value("nullx", 0).at == 4);
}

TEST_CASE("a broken JSON value is named with its byte", "[text]") {
  CHECK(fault(R"({"a" 1})") == "5: a ':' is expected after a key");
  CHECK(fault(R"({"a": })") == "6: a value is expected");
  CHECK(fault(R"({"a": 1)") == "7: the text ends inside an object");
  CHECK(fault(R"([1 2])") == "3: a ',' or ']' is expected in an array");
  CHECK(fault(R"({a: 1})") == "1: a key in double quotes is expected");
  CHECK(fault(R"({"a": 1,})") == "8: a key in double quotes is expected");
  CHECK(fault("\"abc") == "4: the text ends inside a string");
  CHECK(fault("\"a\nb\"") == "2: a string holds a control character that is not escaped");
  CHECK(fault("\"aaaaaaaa\x80\"") == "9: a string holds a byte that is not UTF-8");
  CHECK(fault(R"("\x")") == "1: a string has an unknown escape");
  CHECK(fault(R"("\ud800 ")") == "1: a \\u escape is half of a surrogate pair");
  CHECK(fault(R"("\udc00")") == "1: a \\u escape is half of a surrogate pair");
  CHECK(fault(R"("\u12g4")") == "1: a \\u escape needs four hexadecimal digits");
  CHECK(fault("01") == "");  // the value is 0; what follows is for the caller to judge
  CHECK(fault("-") == "1: a number is broken");
  CHECK(fault("1.") == "2: a number is broken");
  CHECK(fault("1e") == "2: a number is broken");
  CHECK(fault("[1e309]") == "1: a number does not fit a double");
  CHECK(fault("1e308") == "");
  CHECK(fault("") == "0: the text ends where a value is expected");
  CHECK(fault(std::string(64, '[') + std::string(64, ']')) == "");
  CHECK(fault(std::string(65, '[') + std::string(65, ']')) ==
        "64: the nesting is deeper than 64 levels");
}

TEST_CASE("values are whole exactly where nlohmann_json accepts them", "[text]") {
  const auto random = RandomStream::from_seed(5);
  std::size_t whole = 0, broken = 0;
  for (std::size_t i = 0; i < 20'000; ++i) {
    laws::detail::Draws draws(random.child(i));
    std::string text = draws.value().dump(draws.below(2) == 0 ? 1 : -1);
    if (i % 2 == 1) text = laws::detail::mutated(text, draws);
    // nlohmann_json also takes white space around a value
    const std::size_t begin = skip_json_space(text, 0);
    const JsonEnd end = skip_json_value(text, begin);
    const bool ours = end.whole() && skip_json_space(text, end.at) == text.size();
    INFO(text);
    if (text.find('\0') != std::string::npos) {  // nlohmann_json takes it for the end of the text
      REQUIRE(!ours);
      continue;
    }
    REQUIRE(ours == nlohmann::json::accept(text));
    ++(ours ? whole : broken);
  }
  CHECK(whole > 10'000);
  CHECK(broken > 4'000);
}

TEST_CASE("the text of a JSON string is what nlohmann_json reads and writes", "[text]") {
  for (const std::string literal :
       {R"("")", R"("a\"b\\\/\b\f\n\r\t")", R"("\u0041\u00fc\u20ac\ud83d\ude00\u0000x")"}) {
    REQUIRE(is_whole(literal));
    CHECK(json_string_text(literal) == nlohmann::json::parse(literal).get<std::string>());
  }
  const auto random = RandomStream::from_seed(6);
  for (std::size_t i = 0; i < 5'000; ++i) {
    const std::string text = laws::detail::Draws(random.child(i)).text();
    CHECK(json_literal(text) == nlohmann::json(text).dump());
    CHECK(json_string_text(json_literal(text)) == text);
  }
  CHECK(json_literal("a\xFFz") == "\"a\xEF\xBF\xBDz\"");  // cannot be written as it is
}

TEST_CASE("the members of an object are visited as they are written", "[text]") {
  const std::string text = R"({ "a" : [1,2] , "b\n":{"c": "\"}"}} rest)";
  std::vector<std::string> seen;
  const auto end = walk_json_object(text, 0, [&](auto key, auto value, std::size_t at) {
    seen.push_back(std::string(key) + "=" + std::string(value) + "@" + std::to_string(at));
    return static_cast<const char*>(nullptr);
  });
  CHECK(end.whole());
  CHECK(text.substr(end.at) == " rest");
  CHECK(seen == std::vector<std::string>{R"("a"=[1,2]@8)", R"("b\n"={"c": "\"}"}@22)"});
  const auto refuse = [](auto, auto, std::size_t) { return "not this one"; };
  CHECK(walk_json_object(text, 0, refuse).at == 8);
  CHECK(std::string(walk_json_object(text, 0, refuse).fault) == "not this one");
  CHECK(walk_json_object("{}", 0, refuse).whole());
  CHECK(!walk_json_object("[]", 0, refuse).whole());
  CHECK(!walk_json_object("", 0, refuse).whole());
}

TEST_CASE("a JSON value is indented as by nlohmann_json's dump(4)", "[text]") {
  for (const std::string json : {R"({"a":[1,{"b":"{[,:"}],"c":{},"d":[],"e":[[]]})", "[ ]", "7",
                                 R"({"a" : { "b" : [ { } ] } })"})
    CHECK(indented_json(json) == nlohmann::ordered_json::parse(json).dump(4));
  const auto random = RandomStream::from_seed(7);
  for (std::size_t i = 0; i < 2'000; ++i) {
    const nlohmann::json value = laws::detail::Draws(random.child(i)).value();
    CHECK(indented_json(value.dump()) == value.dump(4));
  }
}
