#include "dualagent/model/transformer_shards.hpp"

#include <cstddef>
#include <span>
#include <vector>

#include "support/catch.hpp"
#include "support/checkpoint_numbers.hpp"
#include "support/error_of.hpp"
#include "support/odd_shape.hpp"

using namespace dualagent;

namespace {

struct Model {
  Model() : weights(odd_shape()), rotary(odd_shape()) {
    weights.initialise(3);
    weights.refresh();
  }
  TransformerWeights<double> weights;
  detail::RotaryTable<double> rotary;
};

const std::vector<std::vector<Token>> kRows{{1, 2, 3, 4, 5}, {6, 5}, {7, 7, 1, 0}, {2, 9, 9}};

std::vector<double> gradients_of(const Model& model, const PackedBatch& batch, std::size_t shards) {
  ThreadPool pool(2);
  detail::BatchShards<double> all(model.weights, model.rotary, shards);
  TokenOutputs outputs;
  outputs.resize(batch.size());
  all.backward(pool, batch, checkpoint_numbers::NegativeLogProb{}, outputs, IgnoreReady{});
  const std::span<double> gradients = all.gradients();
  return {gradients.begin(), gradients.end()};
}

}  // namespace

TEST_CASE("shards add up to the gradients of the rows, however many there are",
          "[model][transformer]") {
  const Model model;
  const PackedBatch batch = checkpoint_numbers::token_mean_batch(kRows);
  std::vector<double> sum(model.weights.parameters().size(), 0.0);
  for (const std::vector<Token>& row : kRows) {
    PackedBatch alone = checkpoint_numbers::token_mean_batch({row});
    for (float& weight : alone.loss_weight)
      if (weight != 0.0F) weight = batch.loss_weight[1];
    const std::vector<double> gradients = gradients_of(model, alone, 1);
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += gradients[i];
  }
  for (const std::size_t shards : std::vector<std::size_t>{1, 2, 3, 7}) {
    const std::vector<double> gradients = gradients_of(model, batch, shards);
    double largest = 0;
    for (std::size_t i = 0; i < sum.size(); ++i)
      largest = std::max(largest, std::abs(gradients[i] - sum[i]));
    CHECK(largest < 1e-12);
  }
}

TEST_CASE("a batch without shards is refused", "[model][transformer]") {
  const Model model;
  CHECK_THROWS_AS(detail::BatchShards<double>(model.weights, model.rotary, 0), Error);
}
