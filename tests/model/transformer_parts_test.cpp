#include "dualagent/model/transformer_parts.hpp"

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

std::vector<double> gradients_of(const Model& model, const PackedBatch& batch, std::size_t parts) {
  ThreadPool pool(2);
  detail::BatchParts<double> all(model.weights, model.rotary, {.count = parts});
  TokenOutputs outputs;
  outputs.resize(batch.size());
  all.backward(pool, batch, checkpoint_numbers::NegativeLogProb{}, outputs, IgnoreReady{});
  const std::span<double> gradients = all.gradients();
  return {gradients.begin(), gradients.end()};
}

}  // namespace

TEST_CASE("parts add up to the gradients of the rows, however many there are",
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
  for (const std::size_t parts : std::vector<std::size_t>{1, 2, 3, 7}) {
    const std::vector<double> gradients = gradients_of(model, batch, parts);
    double largest = 0;
    for (std::size_t i = 0; i < sum.size(); ++i)
      largest = std::max(largest, std::abs(gradients[i] - sum[i]));
    CHECK(largest < 1e-12);
  }
}

TEST_CASE("a row of more trained tokens than a block of the head holds", "[model][transformer]") {
  // The gradients of one row of 150 tokens, all trained, are the sum of those of its tokens, each
  // trained alone: one block each. A frozen head takes three blocks for the row.
  const Model model;
  detail::Adapter<double> adapter(model.weights, {.rank = 2});
  for (double& weight : adapter.parameters()) weight += 0.1;
  adapter.refresh();
  std::vector<Token> row(150);
  for (std::size_t i = 0; i < row.size(); ++i)
    row[i] = static_cast<Token>(RandomStream::from_seed(4).below(i, 37));
  const PackedBatch batch = checkpoint_numbers::token_mean_batch({row});
  ThreadPool pool(1);
  detail::BatchParts<double> all(model.weights, model.rotary, {.count = 1}, &adapter);
  const auto backward = [&](const PackedBatch& some) {
    TokenOutputs outputs;
    outputs.resize(some.size());
    all.backward(pool, some, checkpoint_numbers::NegativeLogProb{}, outputs, IgnoreReady{});
    return outputs;
  };
  const TokenOutputs together = backward(batch);
  const std::vector<double> gradients(all.gradients().begin(), all.gradients().end());
  all.zero_gradients(pool);
  for (std::size_t t = 1; t < batch.size(); ++t) {
    PackedBatch one = batch;
    for (std::size_t i = 0; i < one.size(); ++i)
      if (i != t) one.loss_weight[i] = 0.0F;
    CHECK(backward(one).log_prob[t] == together.log_prob[t]);
  }
  double largest = 0, worst = 0;
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    largest = std::max(largest, std::abs(gradients[i]));
    worst = std::max(worst, std::abs(gradients[i] - all.gradients()[i]));
  }
  CHECK(largest > 1e-3);
  CHECK(worst < 1e-12);
  TokenOutputs scored;
  scored.resize(batch.size());
  all.score(pool, batch, scored);
  CHECK(scored.log_prob == together.log_prob);
}

TEST_CASE("a batch without parts is refused", "[model][transformer]") {
  const Model model;
  CHECK_THROWS_AS(detail::BatchParts<double>(model.weights, model.rotary, {.count = 0}), Error);
}
