#include "dualagent/trace/batch_columns.hpp"

#include <type_traits>
#include <vector>

#include "dualagent/trace/packed_batch.hpp"
#include "support/catch.hpp"

using namespace dualagent;

static_assert(std::is_trivially_copyable_v<BatchColumns>);
static_assert(std::is_trivially_copyable_v<OutputColumns>);

TEST_CASE("a batch's columns are views of it", "[trace]") {
  PackedBatch batch;
  batch.append_row(std::vector<Token>{1, 2}, 4);
  batch.append_row(std::vector<Token>{3, 4, 5}, 7);
  batch.temperature = {0.5F, 2.0F};
  batch.agent[3] = AgentRole::summarizer;
  batch.advantage[4] = -3.0F;
  batch.value_target[2] = 6.0F;
  batch.old_weight_version = 9;
  const BatchColumns columns = batch;
  CHECK(columns.size() == 5);
  CHECK(columns.rows == 2);
  CHECK(columns.row_size(1) == 3);
  for (std::size_t t = 0; t < 5; ++t) CHECK(columns.row_of(t) == (t < 2 ? 0 : 1));
  CHECK(columns.token[4] == 5);
  CHECK(columns.temperature_of(0) == 0.5F);
  CHECK(columns.temperature_of(3) == 2.0F);
  CHECK(columns.old_weight_version == 9);
  CHECK(columns.loss.advantage == batch.advantage.data());
  const kernels::TokenTerms<double> terms = columns.loss.terms<double>(4, {-0.5, 0.25, 8.0});
  CHECK(terms.log_prob == -0.5);
  CHECK(terms.entropy == 0.25);
  CHECK(terms.value == 8.0);
  CHECK(terms.advantage == -3.0);
  CHECK(columns.loss.terms<double>(2, {}).value_target == 6.0);
  CHECK(columns.loss.importance_weight_of<double>(4) == 1.0);
  CHECK(columns.place_of(3) == "rollout 7, token 1 of row 1");
}

TEST_CASE("columns that are left out are 0, importance weights 1", "[trace]") {
  const float advantage[] = {1.0F, 2.0F};
  const loops::TokenColumns columns{.advantage = advantage};
  const kernels::TokenTerms<float> terms = columns.terms<float>(1, {-1.0F});
  CHECK(terms.advantage == 2.0F);
  CHECK(terms.old_log_prob == 0.0F);
  CHECK(terms.sequence_log_ratio == 0.0F);
  CHECK(columns.importance_weight_of<float>(1) == 1.0F);
}

TEST_CASE("outputs are written where there is a column for them", "[trace]") {
  TokenOutputs outputs;
  outputs.resize(2);
  const OutputColumns all = outputs;
  all.write(1, kernels::TokenPrediction<float>{-0.5F, 0.25F, 2.0F});
  all.write(1, TokenLossGradient{3.0, -4.0, 5.0, 6.0});
  CHECK(outputs.log_prob == std::vector<double>{0, -0.5});
  CHECK(outputs.entropy == std::vector<double>{0, 0.25});
  CHECK(outputs.value == std::vector<double>{0, 2.0});
  CHECK(outputs.loss == std::vector<double>{0, 3.0});
  CHECK(outputs.d_log_prob == std::vector<double>{0, -4.0});
  double loss = 0;
  OutputColumns{.loss = &loss}.write(0, TokenPrediction{-1.0});
  OutputColumns{.loss = &loss}.write(0, TokenLossGradient{2.0, 1.0});
  CHECK(loss == 2.0);
}
