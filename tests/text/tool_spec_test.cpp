#include "dualagent/text/tool_spec.hpp"

#include <nlohmann/json.hpp>

#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("a tool that says nothing of its arguments takes an object of none", "[text]") {
  const auto schema = nlohmann::json::parse(ToolSpec{}.parameters);
  CHECK(schema == nlohmann::json{{"type", "object"}, {"properties", nlohmann::json::object()}});
}
