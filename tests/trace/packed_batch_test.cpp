#include "dualagent/trace/packed_batch.hpp"

#include <cstdint>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("rows of a packed batch follow each other without padding, masked at first", "[trace]") {
  PackedBatch batch;
  CHECK(batch.rows() == 0);
  CHECK(batch.size() == 0);
  CHECK(batch.append_row(std::vector<Token>{1, 2, 3}, 5) == 0);
  CHECK(batch.append_row(std::vector<Token>{4}) == 3);
  CHECK(batch.append_row(std::vector<Token>{5, 6}, 9) == 4);
  CHECK(batch.rows() == 3);
  CHECK(batch.size() == 6);
  CHECK(batch.row_begin == std::vector<std::size_t>{0, 3, 4, 6});
  CHECK(batch.row_size(0) == 3);
  CHECK(batch.row_size(1) == 1);
  CHECK(batch.row_size(2) == 2);
  CHECK(batch.tokens == std::vector<Token>{1, 2, 3, 4, 5, 6});
  CHECK(batch.rollout == std::vector<std::uint32_t>{5, 0, 9});
  CHECK(batch.loss_weight == std::vector<float>(6, 0.0F));
  CHECK(batch.old_log_prob == std::vector<float>(6, 0.0F));
  CHECK(batch.advantage == std::vector<float>(6, 0.0F));
}

TEST_CASE("a later row leaves the weights of earlier ones alone", "[trace]") {
  PackedBatch batch;
  const std::size_t row = batch.append_row(std::vector<Token>{1, 2});
  batch.loss_weight[row + 1] = 0.5F;
  batch.append_row(std::vector<Token>{3});
  CHECK(batch.loss_weight == std::vector<float>{0, 0.5F, 0});
}

TEST_CASE("a copied row has every column of its source", "[trace]") {
  PackedBatch source;
  source.append_row(std::vector<Token>{9, 9, 9}, 1);
  const std::size_t row = source.append_row(std::vector<Token>{1, 2}, 5);
  source.loss_weight[row + 1] = 0.5F;
  source.sampler_log_prob[row + 1] = -1.0F;
  source.old_log_prob[row + 1] = -2.0F;
  source.reference_log_prob[row + 1] = -3.0F;
  source.advantage[row + 1] = 4.0F;
  source.old_value[row + 1] = 5.0F;
  source.value_target[row + 1] = 6.0F;
  source.agent[row + 1] = AgentRole::summarizer;
  source.weight_version[row + 1] = 8;
  PackedBatch copy;
  copy.append_row(std::vector<Token>{7});
  REQUIRE(copy.append_row_of(source, 1) == 1);
  CHECK(copy.tokens == std::vector<Token>{7, 1, 2});
  CHECK(copy.row_begin == std::vector<std::size_t>{0, 1, 3});
  CHECK(copy.rollout == std::vector<std::uint32_t>{0, 5});
  CHECK(copy.loss_weight == std::vector<float>{0, 0, 0.5F});
  CHECK(copy.sampler_log_prob == std::vector<float>{0, 0, -1});
  CHECK(copy.old_log_prob == std::vector<float>{0, 0, -2});
  CHECK(copy.reference_log_prob == std::vector<float>{0, 0, -3});
  CHECK(copy.advantage == std::vector<float>{0, 0, 4});
  CHECK(copy.old_value == std::vector<float>{0, 0, 5});
  CHECK(copy.value_target == std::vector<float>{0, 0, 6});
  CHECK(copy.agent[2] == AgentRole::summarizer);
  CHECK(copy.weight_version == std::vector<WeightVersion>{0, 0, 8});
}

TEST_CASE("each agent has its temperature", "[trace]") {
  PackedBatch batch;
  batch.append_row(std::vector<Token>{1, 2});
  batch.agent[1] = AgentRole::summarizer;
  batch.temperature = {0.5F, 2.0F};
  CHECK(batch.temperature_of(0) == 0.5F);
  CHECK(batch.temperature_of(1) == 2.0F);
  batch.temperature = 0.7F;
  CHECK(batch.temperature_of(0) == 0.7F);
  CHECK(batch.temperature_of(1) == 0.7F);
}

TEST_CASE("a token is as stale as its weights are versions behind the step's", "[trace]") {
  PackedBatch batch;
  batch.append_row(std::vector<Token>{1, 2, 3});
  batch.weight_version = {5, 7, 9};
  batch.old_weight_version = 7;
  CHECK(batch.staleness_of(0) == 2);
  CHECK(batch.staleness_of(1) == 0);
  CHECK(batch.staleness_of(2) == 0);  // of later weights
}

TEST_CASE("an empty row is refused", "[trace]") {
  PackedBatch batch;
  CHECK_THROWS_WITH(batch.append_row({}), ContainsSubstring("a training row is empty"));
  CHECK(batch.rows() == 0);
}

TEST_CASE("clearing a batch makes it as new but for its temperature", "[trace]") {
  PackedBatch batch;
  batch.temperature = 0.7F;
  batch.append_row(std::vector<Token>{1, 2}, 3);
  batch.clear();
  CHECK(batch.rows() == 0);
  CHECK(batch.size() == 0);
  CHECK(batch.loss_weight.empty());
  CHECK(batch.old_log_prob.empty());
  CHECK(batch.advantage.empty());
  CHECK(batch.rollout.empty());
  CHECK(batch.temperature == 0.7F);
  CHECK(batch.append_row(std::vector<Token>{4}) == 0);
  CHECK(batch.row_begin == std::vector<std::size_t>{0, 1});
}

TEST_CASE("resizing outputs sets them to 0", "[trace]") {
  TokenOutputs outputs;
  outputs.resize(2);
  outputs.log_prob[1] = -1;
  outputs.entropy[1] = 2;
  outputs.value[1] = 4;
  outputs.loss[1] = 3;
  outputs.resize(3);
  CHECK(outputs.log_prob == std::vector<double>(3, 0.0));
  CHECK(outputs.entropy == std::vector<double>(3, 0.0));
  CHECK(outputs.value == std::vector<double>(3, 0.0));
  CHECK(outputs.loss == std::vector<double>(3, 0.0));
}
