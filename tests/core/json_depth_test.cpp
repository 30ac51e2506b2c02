#include "dualagent/core/json_depth.hpp"

#include <string>

#include "dualagent/core/error.hpp"
#include "dualagent/core/json.hpp"
#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("JSON as deep as the limit is read, one level more is refused", "[core]") {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  CHECK_NOTHROW(parse_json(nested(kMaxJsonDepth), "t.json", "Flatten it"));
  CHECK_THROWS_WITH(parse_json(nested(kMaxJsonDepth + 1), "t.json", "Flatten it"),
                    ContainsSubstring("deeper than 64 levels") && ContainsSubstring("t.json"));
}
