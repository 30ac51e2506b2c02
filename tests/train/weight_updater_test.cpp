#include "dualagent/train/weight_updater.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "dualagent/collective/local.hpp"
#include "support/bigram_model.hpp"
#include "support/catch.hpp"

using namespace dualagent;

namespace {

/// One row [0, 1] in which token 1 is trained.
PackedBatch one_token() {
  PackedBatch batch;
  const std::size_t row = batch.append_row(std::vector<Token>{0, 1});
  batch.loss_weight[row + 1] = 1.0F;
  return batch;
}

}  // namespace

TEST_CASE("an update clips the gradient, takes a step and begins a weight version", "[train]") {
  BigramModel model(3);
  WeightUpdater updater(model, {.optimizer = {.learning_rate = 0.1}, .max_gradient_norm = 1e-3});
  TokenOutputs outputs;
  LocalCollective collective;
  const double norm = updater.update(
      one_token(),
      [](std::size_t, const TokenPrediction& now) {
        return TokenLossGradient{-now.log_prob, -1.0, 0.0};
      },
      outputs, collective);
  // d/dlogits of -log softmax at 0: p - onehot = (1/3, -2/3, 1/3).
  CHECK(norm == Approx(std::sqrt(6.0) / 3));
  CHECK(outputs.loss[1] == Approx(std::log(3.0)));
  CHECK(model.weight_version() == 1);
  CHECK(model.parameters()[0] == Approx(-0.1).epsilon(1e-3));  // AdamW's first step: the sign
  CHECK(model.parameters()[1] == Approx(0.1).epsilon(1e-3));
  CHECK(updater.state().first[1] == Approx(-0.1 * 2e-3 / std::sqrt(6.0)));  // clipped before
}

TEST_CASE("a gradient that is not finite is refused by name, weights stay", "[train]") {
  BigramModel model(3);
  WeightUpdater updater(model, UpdateOptions{});
  TokenOutputs outputs;
  LocalCollective collective;
  const auto nan_loss = [](std::size_t, const TokenPrediction&) {
    return TokenLossGradient{0.0, std::numeric_limits<double>::quiet_NaN(), 0.0};
  };
  CHECK_THROWS_WITH(updater.update(one_token(), nan_loss, outputs, collective),
                    ContainsSubstring("element 0 of logits"));
  for (const double weight : model.parameters()) CHECK(weight == 0.0);
  CHECK(updater.state().steps == 0);
}
