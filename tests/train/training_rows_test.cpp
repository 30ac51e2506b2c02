#include "dualagent/train/training_rows.hpp"

#include <vector>

#include "support/catch.hpp"

using namespace dualagent;

namespace {

Segment example_segment() {
  Segment segment;
  Context& context = segment.context;
  context.append(Provenance::prompt, std::vector<Token>{1, 2});
  context.append(BackendAccess::sampled(AgentRole::answerer, {3, 6}, {4, 5}, {-0.5F, -0.25F}));
  context.append(Provenance::observation, std::vector<Token>{6});
  context.append(BackendAccess::sampled(AgentRole::summarizer, 3, {7}, {-2.0F}));
  context.append(Provenance::observation, std::vector<Token>{8, 9});
  return segment;
}

const auto sampled = [](const Span& span) { return span.is_sampled(); };

}  // namespace

TEST_CASE("a training row masks all but the selected spans", "[train]") {
  PackedBatch batch;
  append_training_row(batch, example_segment(), sampled,
                      {.loss_weight = 0.5F, .advantage = -1.5F, .rollout = 7});
  CHECK(batch.tokens == std::vector<Token>{1, 2, 4, 5, 6, 7});  // nothing after the last trained
  CHECK(batch.loss_weight == std::vector<float>{0, 0, 0.5F, 0.5F, 0, 0.5F});
  CHECK(batch.old_log_prob == std::vector<float>{0, 0, -0.5F, -0.25F, 0, -2.0F});
  CHECK(batch.advantage == std::vector<float>{0, 0, -1.5F, -1.5F, 0, -1.5F});
  CHECK(batch.weight_version == std::vector<WeightVersion>{0, 0, 3, 6, 0, 3});
  CHECK(batch.row_begin == std::vector<std::size_t>{0, 6});
  CHECK(batch.rollout == std::vector<std::uint32_t>{7});
}

TEST_CASE("rows of different lengths are packed without padding", "[train]") {
  PackedBatch batch;
  const auto answerer = [](const Span& span) {
    return span.is_sampled() && span.agent == AgentRole::answerer;
  };
  append_training_row(batch, example_segment(), answerer, {});
  append_training_row(batch, example_segment(), sampled, {});
  CHECK(batch.row_begin == std::vector<std::size_t>{0, 4, 10});
  CHECK(count_trained(example_segment(), answerer) == 2);
  CHECK(count_trained(example_segment(), sampled) == 3);
}

TEST_CASE("a segment without trained tokens is not a row", "[train]") {
  PackedBatch batch;
  append_training_row(batch, example_segment(), [](const Span&) { return false; }, {});
  CHECK(batch.rows() == 0);
  CHECK(batch.size() == 0);
}

TEST_CASE("a trained first token is refused", "[train]") {
  Segment segment;
  segment.context.append(BackendAccess::sampled(AgentRole::answerer, 0, {4}, {-0.5F}));
  PackedBatch batch;
  CHECK_THROWS_WITH(append_training_row(batch, segment, sampled, {.rollout = 3}),
                    ContainsSubstring("rollout 3") && ContainsSubstring("start token"));
}
