#include "dualagent/train/learner_memory.hpp"

#include <algorithm>
#include <span>
#include <vector>

#include "support/bigram_model.hpp"
#include "support/catch.hpp"
#include "support/other_machine.hpp"

using namespace dualagent;

namespace {

/// Differs from token to token, and asks for every column.
struct OfAllColumns {
  TokenLossGradient operator()(const loops::TokenColumns& columns, std::size_t t,
                               const TokenPrediction& now) const {
    const kernels::TokenTerms<double> terms = columns.terms(t, now);
    const double factor = terms.old_log_prob + 10 * terms.reference_log_prob +
                          100 * terms.advantage + 1000 * terms.sequence_log_ratio +
                          1e4 * terms.old_value + 1e5 * terms.value_target +
                          1e6 * columns.importance_weight_of<double>(t);
    return {factor * now.log_prob, factor, 0.0, 0.0};
  }
};

PackedBatch some_batch(std::size_t rows) {
  PackedBatch batch;
  batch.temperature = {0.5F, 2.0F};
  for (std::size_t r = 0; r < rows; ++r) {
    const std::size_t begin = batch.append_row(std::vector<Token>{0, 2, 1});
    for (const std::size_t t : {begin + 1, begin + 2}) {
      const auto x = static_cast<float>(t);
      batch.loss_weight[t] = 0.5F;
      batch.agent[t] = AgentRole{static_cast<unsigned char>(t % 2)};
      batch.old_log_prob[t] = x;
      batch.reference_log_prob[t] = x + 1;
      batch.advantage[t] = x + 2;
      batch.sequence_log_ratio[t] = static_cast<double>(t) + 3;
      batch.old_value[t] = x + 4;
      batch.value_target[t] = x + 5;
      batch.importance_weight[t] = static_cast<double>(t) + 6;
    }
  }
  return batch;
}

}  // namespace

TEST_CASE("a learner on the host reads the batch where it is", "[train]") {
  struct Here : BigramModel {
    using BigramModel::BigramModel;
    void score(const BatchColumns& columns, const OutputColumns&) { seen = columns.token; }
    const Token* seen = nullptr;
  };
  Here model(3);
  LearnerMemory<Here> memory;
  const PackedBatch batch = some_batch(1);
  TokenOutputs outputs;
  outputs.resize(batch.size());
  memory.score(model, batch, outputs);
  CHECK(model.seen == batch.tokens.data());
}

TEST_CASE("a learner elsewhere gets copies and its outputs come back", "[train]") {
  BigramModel here(3);
  Elsewhere there(3);
  LearnerMemory<BigramModel> memory_here;
  LearnerMemory<Elsewhere> memory_there;
  for (const std::size_t rows : {2U, 5U, 1U}) {
    const PackedBatch batch = some_batch(rows);
    TokenOutputs expected, found;
    expected.resize(batch.size());
    found.resize(batch.size());
    memory_here.backward(here, batch, OfAllColumns{}, expected);
    memory_there.backward(there, batch, OfAllColumns{}, found);
    CHECK(there.seen != batch.tokens.data());
    CHECK(there.machine.copies > 0);
    CHECK(std::ranges::equal(here.gradients(), there.gradients()));
    CHECK(found.log_prob == expected.log_prob);
    CHECK(found.loss == expected.loss);
    CHECK(found.d_log_prob == expected.d_log_prob);
    CHECK(found.loss[1] != 0.0);
    TokenOutputs scored;
    scored.resize(batch.size());
    memory_there.score(there, batch, scored);
    CHECK(scored.entropy == expected.entropy);
  }
}
