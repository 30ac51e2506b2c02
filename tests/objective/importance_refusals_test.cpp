#include <limits>
#include <string>
#include <vector>

#include "dualagent/objective/importance.hpp"
#include "dualagent/objective/recipes.hpp"
#include "support/catch.hpp"
#include "support/loss_of.hpp"

using namespace dualagent;

namespace {

/// Rollouts 0 and 17, the second in two rows; advantages of both signs.
PackedBatch two_rollouts() {
  PackedBatch batch;
  batch.append_row(std::vector<Token>{1, 2});
  batch.append_row(std::vector<Token>{1, 2, 3}, 17);
  batch.append_row(std::vector<Token>{1, 2, 3, 4}, 17);
  for (const std::size_t t : {1U, 3U, 4U, 6U, 8U}) {
    batch.loss_weight[t] = 0.2F;
    batch.old_log_prob[t] = batch.sampler_log_prob[t] = batch.reference_log_prob[t] = -1.0F;
    batch.advantage[t] = t < 5 ? 0.5F : -0.5F;
  }
  return batch;
}

/// What a loss says where one number of `batch` is spoilt; empty if it says nothing.
template <class ObjectiveOf>
std::string complaint(const ObjectiveOf& objective, PackedBatch batch,
                      const std::vector<double>& log_prob) {
  try {
    weigh_by_importance(objective, batch, log_prob);
    for (std::size_t t = 0; t < batch.size(); ++t)
      if (batch.loss_weight[t] != 0) loss_of(objective, batch, t, {log_prob[t], 1.0});
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

/// Token 8 of the batch, the last of row 2, is spoilt in one column after the other.
template <class ObjectiveOf>
void check_complaints(const ObjectiveOf& objective,
                      std::vector<std::vector<float> PackedBatch::*> columns) {
  const std::vector<double> log_prob(9, -1.0);
  CHECK(complaint(objective, two_rollouts(), log_prob) == "");
  const float infinity = std::numeric_limits<float>::infinity();
  for (const float poison : {std::numeric_limits<float>::quiet_NaN(), infinity, -infinity}) {
    const std::string place = "rollout 17, token 3 of row 2";
    for (const auto column : columns) {
      PackedBatch batch = two_rollouts();
      (batch.*column)[8] = poison;
      CHECK_THAT(complaint(objective, batch, log_prob), ContainsSubstring(place));
      (batch.*column)[8] = (batch.*column)[6];
      (batch.*column)[7] = poison;  // not trained: not read
      CHECK(complaint(objective, batch, log_prob) == "");
    }
    std::vector<double> spoilt = log_prob;
    spoilt[8] = static_cast<double>(poison);
    CHECK_THAT(complaint(objective, two_rollouts(), spoilt), ContainsSubstring(place));
  }
}

}  // namespace

TEST_CASE("a loss that is not finite names rollout and token", "[objective]") {
  PackedBatch batch;
  batch.append_row(std::vector<Token>{1, 2});
  batch.append_row(std::vector<Token>{1, 2, 3}, 17);
  for (const std::size_t t : {1U, 3U, 4U}) batch.loss_weight[t] = 1.0F;
  weigh_by_importance(Dapo{}, batch);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(loss_of(Dapo{}, batch, 1, {-0.5, 1.0}).value == 0.0);  // advantage 0
  CHECK_THROWS_WITH(loss_of(Dapo{}, batch, 4, {nan, 1.0}),
                    ContainsSubstring("rollout 17") && ContainsSubstring("token 2 of row 1"));
  batch.advantage[1] = std::numeric_limits<float>::infinity();
  CHECK_THROWS_WITH(loss_of(Dapo{}, batch, 1, {-0.5, 1.0}),
                    ContainsSubstring("advantage of a token is inf"));
}

TEST_CASE("no bound hides an input that is NaN or infinite", "[objective]") {
  const std::vector<std::vector<float> PackedBatch::*> always{&PackedBatch::old_log_prob,
                                                              &PackedBatch::advantage};
  std::vector<std::vector<float> PackedBatch::*> sampled = always;
  sampled.push_back(&PackedBatch::sampler_log_prob);
  std::vector<std::vector<float> PackedBatch::*> referred = always;
  referred.push_back(&PackedBatch::reference_log_prob);
  check_complaints(Dapo{}, always);
  check_complaints(Gspo{}, always);
  check_complaints(Cispo{}, always);
  check_complaints(with(KlPenalty<K3>{}), referred);
  check_complaints(corrected(TruncatedIs{}), sampled);
  check_complaints(corrected(SequenceIs{}), sampled);
  check_complaints(corrected(GeometricRejection{}), sampled);
  check_complaints(corrected(TokenVeto{}), sampled);
  check_complaints(corrected(OffPolicyMask{}), always);
}
