#include "dualagent/tools/read_argument.hpp"

#include <cstdint>
#include <string>
#include <utility>

#include "support/catch.hpp"

using namespace dualagent;
using nlohmann::json;

TEST_CASE("whole numbers must be whole and fit their type", "[tools]") {
  int x = 7;
  read_argument(json::parse(R"({"x": -2147483648})"), "x", x);
  CHECK(x == -2147483648LL);
  for (const char* text :
       {R"({"x": 2147483648})", R"({"x": 1e300})", R"({"x": 1.5})", R"({"x": "3"})",
        R"({"x": true})", R"({"x": null})", R"({"y": 1})", "[1]", R"({"x": 18446744073709551615})"})
    CHECK_THROWS_WITH(read_argument(json::parse(text), "x", x), ContainsSubstring("'x'"));
  CHECK(x == -2147483648LL);
  for (const char* text : {R"({"x": 140.0})", R"({"x": 1.4e2})"}) {
    read_argument(json::parse(text), "x", x);
    CHECK(std::exchange(x, 0) == 140);
  }
  std::uint8_t small = 0;
  read_argument(json::parse(R"({"x": 255})"), "x", small);
  CHECK(small == 255);
  CHECK_THROWS_AS(read_argument(json::parse(R"({"x": -1})"), "x", small), Error);
}

TEST_CASE("other types are read by the JSON library", "[tools]") {
  std::string text;
  read_argument(json::parse(R"({"x": "hello"})"), "x", text);
  CHECK(text == "hello");
  bool flag = false;
  read_argument(json::parse(R"({"x": true})"), "x", flag);
  CHECK(flag);
  double number = 0;
  read_argument(json::parse(R"({"x": 2})"), "x", number);
  CHECK(number == 2.0);
  CHECK_THROWS_AS(read_argument(json::parse(R"({"x": 3})"), "x", text), json::exception);
}
