#include "dualagent/model/eigen_view.hpp"

#include <cmath>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "dualagent/model/transformer.hpp"
#include "support/bigram_model.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"

using namespace dualagent;

TEST_CASE("a tensor of a model is a matrix, row-major, without a copy", "[model]") {
  BigramModel model(3, BigramModel::Critic::per_token);
  for (std::size_t i = 0; i < 12; ++i) model.parameters()[i] = static_cast<double>(i);
  auto logits = eigen(model, "logits");
  CHECK(logits.rows() == 3);
  CHECK(logits.cols() == 3);
  CHECK(logits(1, 2) == 5.0);
  CHECK(logits.row(2).sum() == 6.0 + 7.0 + 8.0);
  logits(1, 2) = -1.0;
  CHECK(model.parameters()[5] == -1.0);

  const auto values = eigen(std::as_const(model), "values");  // a column
  CHECK(values.rows() == 3);
  CHECK(values.cols() == 1);
  CHECK(values(2, 0) == 11.0);
  CHECK(std::is_same_v<decltype(values), const EigenMap<const double>>);
  CHECK(eigen(model.gradients(), model.tensors()[1]).data() == model.gradients().data() + 9);
}

TEST_CASE("written weights are used once the model is told", "[model]") {
  Transformer<float> model({.vocab_size = 5,
                            .hidden_size = 8,
                            .num_hidden_layers = 1,
                            .num_attention_heads = 2,
                            .num_key_value_heads = 1,
                            .head_dim = 4,
                            .intermediate_size = 12,
                            .max_position_embeddings = 16});
  PackedBatch batch;
  batch.append_row(std::vector<Token>{0, 3});
  batch.loss_weight[1] = 1.0F;
  TokenOutputs outputs;
  outputs.resize(2);
  eigen(model, "model.norm.weight").setZero();  // all logits are 0 then
  model.weights_changed();
  model.score(batch, outputs);
  CHECK(outputs.log_prob[1] == Approx(-std::log(5.0)));
  CHECK(model.weight_version() == 1);
  CHECK(eigen(model, "model.layers.0.mlp.up_proj.weight").rows() == 12);
}

TEST_CASE("a name that is unknown is answered with the nearest ones", "[model]") {
  const std::vector<TensorInfo> tensors{{"model.layers.0.mlp.up_proj.weight", {2, 2}, 0, 4},
                                        {"model.layers.0.mlp.gate_proj.weight", {2, 2}, 4, 4},
                                        {"model.norm.weight", {2}, 8, 2},
                                        {"model.layers.0.mlp.down_proj.weight", {2, 2}, 10, 4}};
  CHECK(find_tensor(tensors, "model.norm.weight").offset == 8);
  CHECK_THAT(error_of([&] { find_tensor(tensors, "model.layers.0.up_proj.weight"); }),
             ContainsSubstring("no tensor \"model.layers.0.up_proj.weight\"") &&
                 ContainsSubstring("The nearest are \"model.layers.0.mlp.up_proj.weight\", "
                                   "\"model.layers.0.mlp.gate_proj.weight\", "
                                   "\"model.layers.0.mlp.down_proj.weight\""));
  CHECK_THAT(error_of([&] { find_tensor({}, "x"); }), ContainsSubstring("no tensor \"x\""));
  std::vector<float> numbers(8);
  CHECK_THAT(error_of([&] {
               eigen(std::span(numbers), {"cube", {2, 2, 2}, 0, 8});
             }),
             ContainsSubstring("cube has 3 dimensions"));
}
