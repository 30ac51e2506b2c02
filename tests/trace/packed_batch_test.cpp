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
  outputs.loss[1] = 3;
  outputs.resize(3);
  CHECK(outputs.log_prob == std::vector<double>(3, 0.0));
  CHECK(outputs.entropy == std::vector<double>(3, 0.0));
  CHECK(outputs.loss == std::vector<double>(3, 0.0));
}
