#include "dualagent/model/token_gradient.hpp"

#include <limits>
#include <vector>

#include "dualagent/objective/recipes.hpp"
#include "dualagent/trace/packed_batch.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"

using namespace dualagent;

namespace {

PackedBatch one_row() {
  PackedBatch batch;
  batch.append_row(std::vector<Token>{1, 2, 3}, 17);
  for (const std::size_t t : {1U, 2U}) {
    batch.loss_weight[t] = 0.5F;
    batch.old_log_prob[t] = -1.0F;
    batch.advantage[t] = 2.0F;
  }
  return batch;
}

}  // namespace

TEST_CASE("a token's loss and derivatives are those of its objective, and are written down",
          "[model]") {
  const Objective objective{GroupNormalized{}, PolicyGradient{}, GlobalTokenMean{}, NoCorrection{},
                            EntropyBonus{0.5}};
  PackedBatch batch = one_row();
  batch.importance_weight[2] = 3.0;  // of the loss -A log pi, not of the bonus
  TokenOutputs outputs;
  outputs.resize(batch.size());
  const TokenLossGradient found = token_gradient(batch, loops::composed_loss(objective), 2,
                                                 TokenPrediction{-0.25, 0.75, 4.0}, outputs);
  CHECK(found.value == 3.0 * 2.0 * 0.25 - 0.5 * 0.75);
  CHECK(found.d_log_prob == -6.0);
  CHECK(found.d_entropy == -0.5);
  CHECK(found.d_value == 0.0);
  CHECK(outputs.log_prob[2] == -0.25);
  CHECK(outputs.entropy[2] == 0.75);
  CHECK(outputs.value[2] == 4.0);
  CHECK(outputs.loss[2] == found.value);
  CHECK(outputs.d_log_prob[2] == -6.0);
  CHECK(outputs.loss[1] == 0.0);
}

TEST_CASE("what is not finite is named with its rollout and token", "[model]") {
  const auto complaint = [](const PackedBatch& batch, const auto& objective,
                            const TokenPrediction& now) {
    return error_of([&] { token_gradient(batch, objective, 2, now, {}); });
  };
  const auto clip = loops::composed_loss(Dapo{});
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(complaint(one_row(), clip, {-1.0, 0.5, 0.0}) == "no error");
  // The ratio is bounded: without the check the loss would be finite.
  CHECK_THAT(complaint(one_row(), clip, {-std::numeric_limits<double>::infinity(), 0.5, 0.0}),
             ContainsSubstring("the log-probability of a token is -inf") &&
                 ContainsSubstring("rollout 17, token 2 of row 0"));
  CHECK_THAT(complaint(one_row(), clip, {-1.0, 0.5, nan}), ContainsSubstring("the value of"));
  PackedBatch spoilt = one_row();
  spoilt.importance_weight[2] = nan;
  CHECK_THAT(complaint(spoilt, clip, {-1.0, 0.5, 0.0}), ContainsSubstring("importance weight"));
  const auto steep = [](const loops::TokenColumns&, std::size_t, const TokenPrediction&) {
    return TokenLossGradient{1.0, std::numeric_limits<double>::infinity()};
  };
  CHECK_THAT(complaint(one_row(), steep, {-1.0, 0.5, 0.0}),
             ContainsSubstring("its derivatives inf"));
}
