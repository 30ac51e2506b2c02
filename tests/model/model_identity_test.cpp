#include "dualagent/model/model_identity.hpp"

#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("a model's identity is its config but for the context, and its precision", "[model]") {
  TransformerConfig config{.vocab_size = 7, .hidden_size = 4, .num_hidden_layers = 1};
  const auto identity = identity_of(config, Precision::of_parameters);
  CHECK(identity.at("vocab_size") == "7");
  CHECK(identity.at("rope_theta") == "10000");
  CHECK(identity.at("rms_norm_eps") == "1e-05");
  CHECK(identity.at("precision") == "of parameters");
  CHECK(identity.size() == 19);  // 19 fields, less one, and the precision
  config.max_position_embeddings = 99;
  CHECK(identity_of(config, Precision::of_parameters) == identity);
  CHECK(identity_of(config, Precision::bfloat16) != identity);
  config.rope_scaling.factor = 2;
  CHECK(identity_of(config, Precision::of_parameters).at("rope_scaling.factor") == "2");
}
