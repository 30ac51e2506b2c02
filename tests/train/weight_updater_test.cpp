#include "dualagent/train/weight_updater.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "dualagent/collective/local.hpp"
#include "support/bigram_model.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/momentum.hpp"
#include "support/other_machine.hpp"
#include "support/temporary_folder.hpp"

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
      [](const loops::TokenColumns&, std::size_t, const TokenPrediction& now) {
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
  const auto nan_loss = [](const loops::TokenColumns&, std::size_t, const TokenPrediction&) {
    return TokenLossGradient{0.0, std::numeric_limits<double>::quiet_NaN(), 0.0};
  };
  CHECK_THROWS_WITH(updater.update(one_token(), nan_loss, outputs, collective),
                    ContainsSubstring("element 0 of logits"));
  for (const double weight : model.parameters()) CHECK(weight == 0.0);
  CHECK(updater.state().steps == 0);
}

TEST_CASE("optimizer options that cannot be meant are refused, as they are in the weights' type",
          "[train]") {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  constexpr double kEndless = std::numeric_limits<double>::infinity();
  BigramModel model(3);
  const auto names = [&](const UpdateOptions& options, const char* text) {
    CHECK_THAT(error_of([&] { WeightUpdater(model, options); }), ContainsSubstring(text));
  };
  for (const double norm : {0.0, -1.0, kNan}) {
    const UpdateOptions options{.max_gradient_norm = norm};
    names(options, "max_gradient_norm is");
  }
  for (const double rate : {-1e-3, kNan, kEndless})
    names({.optimizer = {.learning_rate = rate}}, "learning_rate is");
  names({.optimizer = {.beta1 = 1.0}}, "beta1 is 1 (AdamW)");
  names({.optimizer = {.beta1 = -0.1}}, "beta1 is -0.1");
  names({.optimizer = {.beta2 = 1.0}}, "beta2 is 1");
  names({.optimizer = {.beta2 = kNan}}, "beta2 is nan");
  names({.optimizer = {.epsilon = 0.0}}, "epsilon is 0");
  names({.optimizer = {.epsilon = kNan}}, "epsilon is nan");
  names({.optimizer = {.weight_decay = kNan}}, "weight_decay is nan");
  names({.optimizer = {.weight_decay = -0.1}}, "weight_decay is -0.1");
  names({.optimizer = {.learning_rate = 1.0, .weight_decay = 1.5}},
        "learning_rate * weight_decay is 1.5");
  CHECK_NOTHROW(WeightUpdater(model, {.optimizer = {.learning_rate = 0.0}}));
  CHECK_NOTHROW(WeightUpdater(model, {.max_gradient_norm = kEndless}));
  // What is fine in double can be 0 or 1 in float.
  CHECK_NOTHROW((AdamW{.epsilon = 1e-50}.validate<double>()));
  CHECK_THROWS_WITH((AdamW{.epsilon = 1e-50}.validate<float>()), ContainsSubstring("epsilon is 0"));
  CHECK_THROWS_WITH((AdamW{.beta2 = 1.0 - 1e-12}.validate<float>()),
                    ContainsSubstring("beta2 is 1"));
  CHECK_THROWS_WITH((AdamW{.learning_rate = 1e300}.validate<float>()),
                    ContainsSubstring("learning_rate is inf"));
}

TEST_CASE("a learning rate scale that cannot be meant leaves weights and moments alone",
          "[train]") {
  BigramModel model(3);
  WeightUpdater updater(model, UpdateOptions{});
  TokenOutputs outputs;
  LocalCollective collective;
  const auto loss = [](const loops::TokenColumns&, std::size_t, const TokenPrediction& now) {
    return TokenLossGradient{-now.log_prob, -1.0, 0.0};
  };
  for (const double scale :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(), -1.0})
    CHECK_THROWS_WITH(updater.update(one_token(), loss, outputs, collective, scale),
                      ContainsSubstring("learning rate's scale"));
  for (const double weight : model.parameters()) CHECK(weight == 0.0);
  CHECK(updater.state().steps == 0);
  updater.update(one_token(), loss, outputs, collective, 0.0);  // a warm-up may begin at 0
  CHECK(updater.state().steps == 1);
}

TEST_CASE("an optimizer of one's own updates, is saved under its names and goes on", "[train]") {
  const UpdateOptionsFor<Momentum> options{.max_gradient_norm = 1e9};
  const auto loss = [](const loops::TokenColumns&, std::size_t, const TokenPrediction& now) {
    return TokenLossGradient{-now.log_prob, -1.0, 0.0};
  };
  TokenOutputs outputs;
  LocalCollective collective;
  BigramModel model(3), again(3);
  WeightUpdater updater(model, options);
  updater.update(one_token(), loss, outputs, collective);
  // The gradient is (1/3, -2/3, 1/3), its squares add up to 2/3, the rate is 0.5.
  CHECK(model.parameters()[0] == Approx(-0.5 * 2 / 3 / 3));
  CHECK(model.parameters()[1] == Approx(0.5 * 2 / 3 * 2 / 3));

  Checkpoint checkpoint{.step = 1};
  updater.save(checkpoint, "model");
  TemporaryFolder folder;
  write_checkpoint(folder.path(), checkpoint);
  const StoredCheckpoint stored = *latest_checkpoint(folder.path(), {}).checkpoint;
  CHECK(stored.values<double>("model.length") == std::vector<double>{updater.state().length[0]});
  WeightUpdater resumed(again, options);
  resumed.load(stored, "model");
  updater.update(one_token(), loss, outputs, collective, 0.5);
  resumed.update(one_token(), loss, outputs, collective, 0.5);
  CHECK(std::ranges::equal(again.parameters(), model.parameters()));
  WeightUpdater other(again, UpdateOptions{});
  CHECK_THAT(error_of([&] { other.load(stored, "model"); }), ContainsSubstring("first_moment"));
}

TEST_CASE("weights that are not finite are not saved, names are not taken twice", "[train]") {
  BigramModel model(3);
  const WeightUpdater updater(model, UpdateOptions{});
  Checkpoint checkpoint;
  updater.save(checkpoint, "model");
  CHECK_THROWS_WITH(updater.save(checkpoint, "model"),
                    ContainsSubstring("the checkpoint has the array \"model.weights\" already"));
  model.parameters()[4] = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_WITH(updater.save(checkpoint, "other"),
                    ContainsSubstring("a weight is nan (element 4 of logits)"));
}

TEST_CASE("of a learner elsewhere an update copies the batch and its outputs alone", "[train]") {
  const auto loss = [](const loops::TokenColumns&, std::size_t, const TokenPrediction& now) {
    return TokenLossGradient{-now.log_prob, -1.0, 0.0};
  };
  const UpdateOptions options{.optimizer = {.learning_rate = 0.1}, .max_gradient_norm = 1e-3};
  BigramModel here(20);
  Elsewhere there(20), sharded(20);
  LocalCollective alone;
  Sharded one_rank{alone};
  WeightUpdater of_here(here, options);
  WeightUpdater of_there(there, options), of_sharded(sharded, options, one_rank);
  TokenOutputs outputs;
  there.machine = {};
  for (int step = 0; step < 3; ++step) {
    const double norm = of_here.update(one_token(), loss, outputs, alone);
    CHECK(of_there.update(one_token(), loss, outputs, alone) == norm);
    CHECK(of_sharded.update(one_token(), loss, outputs, one_rank) == norm);
  }
  CHECK(there.machine.copies > 0);
  CHECK(there.machine.largest == 2);  // entries of a column; there are 400 parameters
  CHECK(std::ranges::equal(here.parameters(), there.parameters()));
  CHECK(std::ranges::equal(here.parameters(), sharded.parameters()));
}

TEST_CASE("the state of a learner elsewhere goes through a checkpoint", "[train]") {
  const auto loss = [](const loops::TokenColumns&, std::size_t, const TokenPrediction& now) {
    return TokenLossGradient{-now.log_prob, -1.0, 0.0};
  };
  Elsewhere there(5), again(5);
  BigramModel here(5);
  LocalCollective alone;
  TokenOutputs outputs;
  WeightUpdater updater(there, UpdateOptions{}), resumed(again, UpdateOptions{});
  WeightUpdater on_host(here, UpdateOptions{});
  for (int step = 0; step < 2; ++step) updater.update(one_token(), loss, outputs, alone);
  Checkpoint checkpoint{.step = 1};
  updater.save(checkpoint, "model");
  TemporaryFolder folder;
  write_checkpoint(folder.path(), checkpoint);
  const StoredCheckpoint stored = *latest_checkpoint(folder.path(), {}).checkpoint;
  resumed.load(stored, "model");
  on_host.load(stored, "model");
  CHECK(stored.values<double>("model.first_moment") == updater.state().first);
  for (auto* each : {&updater, &resumed}) each->update(one_token(), loss, outputs, alone);
  on_host.update(one_token(), loss, outputs, alone);
  CHECK(std::ranges::equal(again.parameters(), there.parameters()));
  CHECK(std::ranges::equal(here.parameters(), there.parameters()));
  CHECK(again.weight_version() == 3);
}

TEST_CASE("a gradient elsewhere that is not finite is refused by name", "[train]") {
  Elsewhere there(3);
  WeightUpdater updater(there, UpdateOptions{});
  TokenOutputs outputs;
  LocalCollective alone;
  const auto nan_loss = [](const loops::TokenColumns&, std::size_t, const TokenPrediction&) {
    return TokenLossGradient{0.0, std::numeric_limits<double>::quiet_NaN(), 0.0};
  };
  CHECK_THROWS_WITH(updater.update(one_token(), nan_loss, outputs, alone),
                    ContainsSubstring("element 0 of logits"));
  for (const double weight : there.parameters()) CHECK(weight == 0.0);
}
