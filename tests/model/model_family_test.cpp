#include "dualagent/model/model_family.hpp"

#include <set>
#include <string_view>

#include "dualagent/model/config_json.hpp"
#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("families have names of their own and something to read", "[model][family]") {
  std::set<std::string_view> types, classes;
  for (const ModelFamily& family : kModelFamilies) {
    CHECK(types.insert(family.model_type).second);
    CHECK(classes.insert(family.class_name).second);
    CHECK(family.class_name.ends_with("ForCausalLM"));
    CHECK(family.read != nullptr);
  }
  CHECK(types == std::set<std::string_view>{"llama", "mistral", "qwen2", "qwen3"});
}
