#include "dualagent/model/qwen2.hpp"

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/family_reading.hpp"

using namespace dualagent;

TEST_CASE("Qwen2 has biases of queries, keys and values", "[model][family]") {
  const FamilyReading reading(kQwen2, "\"num_key_value_heads\": 2");
  CHECK(reading.error == "no error");
  CHECK(reading.config.qkv_bias);
  CHECK_FALSE(reading.config.qk_norm);
  CHECK(reading.config.num_key_value_heads == 2);
  CHECK(kQwen2.default_head_dim == 0);
  CHECK_THAT(FamilyReading(kQwen2, "").error, ContainsSubstring("num_key_value_heads is missing"));
}

TEST_CASE("Qwen2's window must be switched off", "[model][family]") {
  const auto error = [](const std::string& more) {
    return FamilyReading(kQwen2, "\"num_key_value_heads\": 2, " + more).error;
  };
  CHECK(error("\"sliding_window\": 128, \"max_window_layers\": 1") == "no error");
  CHECK(error(R"("layer_types": ["full_attention", "full_attention", "full_attention"])") ==
        "no error");
  CHECK_THAT(error(R"("layer_types": ["full_attention", "sliding_attention", "full_attention"])"),
             ContainsSubstring("layer_types = ") && ContainsSubstring("sliding_attention"));
  CHECK_THAT(error(R"("layer_types": ["full_attention"])"), ContainsSubstring("layer_types"));
}
