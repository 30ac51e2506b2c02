#include "dualagent/model/mistral.hpp"

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/family_reading.hpp"

using namespace dualagent;

TEST_CASE("a Mistral must say that it has no sliding window", "[model][family]") {
  const auto error = [](const std::string& more) {
    return FamilyReading(kMistral, "\"num_key_value_heads\": 2" + more).error;
  };
  CHECK(error(", \"sliding_window\": null") == "no error");
  CHECK(error("") == "no error");  // 4096, which is wider than the 512 positions
  CHECK_THAT(error(", \"sliding_window\": 256"), ContainsSubstring("sliding_window = 256"));
  FamilyReading longer(kMistral, "\"num_key_value_heads\": 2, \"sliding_window\": null");
  CHECK_FALSE(longer.config.qkv_bias);
  longer.config.max_position_embeddings = 8192;
  const nlohmann::json object{{"num_key_value_heads", 2U}};
  CHECK_THAT(
      error_of([&] { kMistral.read(detail::ConfigReader(object, "config.json"), longer.config); }),
      ContainsSubstring("sliding_window is missing, which means 4096"));
}
