#include "dualagent/engine/engine_wire.hpp"

#include "support/catch.hpp"
#include "support/error_of.hpp"

using namespace dualagent;

TEST_CASE("spans of weight versions cover all tokens in order", "[engine]") {
  const auto read = [](const char* spans, std::size_t tokens) {
    return detail::read_labels(nlohmann::json::parse(spans), tokens);
  };
  const auto two = read(
      R"([{"version": "a", "start": 0, "end": 2}, {"version": "b", "start": 2, "end": 5}])", 5);
  REQUIRE(two.size() == 2);
  CHECK(two[1].label == "b");
  CHECK(two[1].begin == 2);
  CHECK(two[1].end == 5);
  CHECK(read("[]", 0).empty());
  for (const char* spans :
       {"[]", R"([{"version": "a", "start": 0, "end": 4}])",
        R"([{"version": "a", "start": 1, "end": 5}])",
        R"([{"version": "a", "start": 0, "end": 3}, {"version": "b", "start": 2, "end": 5}])",
        R"([{"version": "a", "start": 0, "end": 6}])"})
    CHECK_THAT(error_of([&] { read(spans, 5); }), ContainsSubstring("do not cover its 5 tokens"));
}

TEST_CASE("an error about a reply shows its beginning", "[engine]") {
  const auto error = error_of([] {
    detail::read_reply(nlohmann::json{{"detail", "no"}}, "a score", "Do this",
                       [](const auto& json) { return json.at("tokens").template get<int>(); });
  });
  CHECK_THAT(error, ContainsSubstring("this is not a score") &&
                        ContainsSubstring(R"({"detail":"no"})") && ContainsSubstring("Do this"));
}

TEST_CASE("a token's id is a whole number that a token holds, never cut down to one", "[engine]") {
  CHECK(detail::read_tokens(nlohmann::json::parse("[0, 7, 2147483647]")) ==
        std::vector<Token>{0, 7, 2147483647});
  for (const char* id : {"4294967296", "2147483648", "-1", "1.5", "\"1\"", "null", "true"})
    CHECK_THAT(error_of([&] { detail::read_token(nlohmann::json::parse(id)); }),
               ContainsSubstring("where a token's id is due"));
}

TEST_CASE("a number of tokens is a whole number from 0 on, never a wrapped one", "[engine]") {
  const auto read = [](const std::string& count) {
    return detail::read_count(nlohmann::json::parse("{\"start\": " + count + "}"), "start");
  };
  CHECK(read("0") == 0);
  CHECK(read("40960") == 40960);
  for (const char* count : {"-1", "4096.5", "1e30", "\"4096\"", "null"})
    CHECK(error_of([&] { read(count); }) ==
          std::string("start is ") + nlohmann::json::parse(count).dump() +
              ", not a whole number of at least 0 (engine's reply). Look into the engine's log");
}
