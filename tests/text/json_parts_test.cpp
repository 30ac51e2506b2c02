#include "dualagent/text/json_parts.hpp"

#include <string>
#include <string_view>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("members and elements are found as they are written", "[text]") {
  const std::string_view object =
      R"( {"a": 1.50, "\u0062" : [1, {"a": 2}, "]"], "c":{"a": null}} )";
  CHECK(json_member(object, "a") == "1.50");
  CHECK(json_member(object, "b") == R"([1, {"a": 2}, "]"])");
  CHECK(json_member(json_member(object, "c"), "a") == "null");
  CHECK(json_member(object, "d").empty());
  CHECK(json_member("[1]", "a").empty());
  CHECK(json_elements(json_member(object, "b")) ==
        std::vector<std::string_view>{"1", R"({"a": 2})", R"("]")"});
  CHECK(json_elements(" [ ] ").empty());
  CHECK(json_elements("{}").empty());
  CHECK(json_elements("").empty());
}

TEST_CASE("a value is spaced and escaped as Python's json.dumps does, its numbers as they are",
          "[text]") {
  // Python 3: json.dumps({"b":[1,2],"a":{"é":"\" :,"},"e":{},"l":[]}, ensure_ascii=False)
  CHECK(spaced_json("{\"b\":[1 ,2],\n \"a\":{\"\\u00e9\":\"\\\" :,\"},\"e\":{},\"l\":[]}") ==
        "{\"b\": [1, 2], \"a\": {\"é\": \"\\\" :,\"}, \"e\": {}, \"l\": []}");
  CHECK(spaced_json("123456789012345678901234567890") == "123456789012345678901234567890");
  CHECK(spaced_json("[1.50,-0,1E5]") == "[1.50, -0, 1E5]");
}
