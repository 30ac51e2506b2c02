#include "dualagent/model/transformer_config.hpp"

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;

namespace {

TransformerConfig possible() {
  return {.vocab_size = 8,
          .hidden_size = 6,
          .num_hidden_layers = 1,
          .num_attention_heads = 4,
          .num_key_value_heads = 2,
          .head_dim = 2,
          .intermediate_size = 5,
          .max_position_embeddings = 16};
}

}  // namespace

TEST_CASE("a shape that a model can have is accepted", "[model][config]") {
  CHECK_NOTHROW(possible().validate());
  TransformerConfig wide_heads = possible();
  wide_heads.head_dim = 32;  // heads need not add up to the hidden size
  CHECK_NOTHROW(wide_heads.validate());
}

TEST_CASE("an impossible shape is refused with the name of the field", "[model][config]") {
  using Change = void (*)(TransformerConfig&);
  const std::vector<std::pair<std::string, Change>> cases{
      {"vocab_size", [](TransformerConfig& c) { c.vocab_size = 0; }},
      {"rope_theta",
       [](TransformerConfig& c) { c.rope_theta = std::numeric_limits<double>::infinity(); }},
      {"rms_norm_eps",
       [](TransformerConfig& c) { c.rms_norm_eps = std::numeric_limits<double>::infinity(); }},
      {"10^13 parameters", [](TransformerConfig& c) { c.hidden_size = std::size_t{1} << 50; }},
      {"hidden_size", [](TransformerConfig& c) { c.hidden_size = 0; }},
      {"num_hidden_layers", [](TransformerConfig& c) { c.num_hidden_layers = 0; }},
      {"num_attention_heads", [](TransformerConfig& c) { c.num_attention_heads = 0; }},
      {"num_key_value_heads", [](TransformerConfig& c) { c.num_key_value_heads = 0; }},
      {"num_key_value_heads", [](TransformerConfig& c) { c.num_key_value_heads = 3; }},
      {"num_key_value_heads", [](TransformerConfig& c) { c.num_key_value_heads = 8; }},
      {"head_dim", [](TransformerConfig& c) { c.head_dim = 0; }},
      {"head_dim", [](TransformerConfig& c) { c.head_dim = 3; }},
      {"intermediate_size", [](TransformerConfig& c) { c.intermediate_size = 0; }},
      {"max_position_embeddings", [](TransformerConfig& c) { c.max_position_embeddings = 0; }},
      {"max_position_embeddings is above 10^8",
       [](TransformerConfig& c) { c.max_position_embeddings = std::size_t{1} << 60; }},
      {"rope_theta", [](TransformerConfig& c) { c.rope_theta = 0.0; }},
      {"rope_theta",
       [](TransformerConfig& c) { c.rope_theta = std::numeric_limits<double>::quiet_NaN(); }},
      {"rms_norm_eps", [](TransformerConfig& c) { c.rms_norm_eps = -1e-5; }},
  };
  for (const auto& [field, change] : cases) {
    TransformerConfig config = possible();
    change(config);
    INFO(field);
    CHECK_THROWS_WITH(config.validate(), ContainsSubstring("impossible: ") &&
                                             ContainsSubstring(field) &&
                                             ContainsSubstring("TransformerConfig"));
  }
}

TEST_CASE("an impossible scaling of rotary positions is refused", "[model][config]") {
  TransformerConfig config = possible();
  config.rope_scaling = {.type = RopeScaling::Type::linear, .factor = 0.5};
  CHECK_THROWS_WITH(config.validate(), ContainsSubstring("factor is 0.5"));
  config.rope_scaling.factor = 2.0;
  CHECK_NOTHROW(config.validate());
}
