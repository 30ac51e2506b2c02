#include "dualagent/model/qwen3.hpp"

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/family_reading.hpp"

using namespace dualagent;

TEST_CASE("Qwen3 norms queries and keys, and its heads have 128 elements unless it says otherwise",
          "[model][family]") {
  const FamilyReading reading(kQwen3, "\"num_key_value_heads\": 2");
  CHECK(reading.error == "no error");
  CHECK(reading.config.qk_norm);
  CHECK_FALSE(reading.config.qkv_bias);
  CHECK(kQwen3.default_head_dim == 128);
  CHECK_THAT(FamilyReading(kQwen3, "").error, ContainsSubstring("num_key_value_heads is missing"));
}

TEST_CASE("Qwen3's window must be switched off", "[model][family]") {
  const auto error = [](const std::string& more) {
    return FamilyReading(kQwen3, "\"num_key_value_heads\": 2, " + more).error;
  };
  CHECK(error("\"sliding_window\": 128, \"max_window_layers\": 1") == "no error");
  CHECK(error(R"("layer_types": ["full_attention", "full_attention", "full_attention"])") ==
        "no error");
  CHECK_THAT(error(R"("layer_types": ["full_attention", "sliding_attention", "full_attention"])"),
             ContainsSubstring("layer_types = ") && ContainsSubstring("sliding_attention"));
  CHECK_THAT(error(R"("layer_types": ["full_attention"])"), ContainsSubstring("layer_types"));
}
