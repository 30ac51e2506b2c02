#include "dualagent/train/minibatch.hpp"

#include <vector>

#include "dualagent/collective/local.hpp"
#include "dualagent/train/recipe.hpp"
#include "support/catch.hpp"

using namespace dualagent;

namespace {

/// Rollout 0: a turn of 2 tokens and a summary of 1 in one window. Rollout 1: a turn of 3 tokens.
StepRows three_turns() {
  const auto sampled = [](AgentRole agent, std::vector<Token> tokens) {
    std::vector<float> log_probs(tokens.size(), -1.0F);
    return BackendAccess::sampled(agent, 0, std::move(tokens), std::move(log_probs));
  };
  Rollout rollouts[2];
  for (Rollout& rollout : rollouts) {
    rollout.segments.resize(1);
    rollout.segments[0].context.append(Provenance::prompt, std::vector<Token>{1});
  }
  rollouts[0].segments[0].context.append(sampled(AgentRole::answerer, {2, 3}));
  rollouts[0].segments[0].context.append(sampled(AgentRole::summarizer, {4}));
  rollouts[1].segments[0].context.append(sampled(AgentRole::answerer, {5, 6, 7}));
  StepRows rows;
  for (std::size_t i = 0; i < 2; ++i)
    rows.append(
        rollouts[i], i, [](std::size_t, const Span& span) { return span.is_sampled(); },
        [](std::size_t, const Span&) { return 1.0; }, [](AgentRole) { return std::size_t{0}; });
  return rows;
}

template <class Recipe>
double pack(const Recipe& recipe, const std::vector<std::size_t>& members, PackedBatch& batch,
            std::size_t model = 0, bool reads_first = true) {
  LocalCollective collective;
  MinibatchPacker<Recipe> packer;
  return packer.pack(
      recipe, three_turns(), model, members, [&](std::size_t i) { return reads_first || i > 0; },
      collective, batch);
}

}  // namespace

TEST_CASE("a minibatch's tokens share one weight in a token mean", "[train]") {
  PackedBatch batch;
  CHECK(pack(Recipe{Dapo{}}, {0, 1}, batch) == 6);
  constexpr float kSixth = 1.0F / 6.0F;
  CHECK(batch.loss_weight ==
        std::vector<float>{0, kSixth, kSixth, kSixth, 0, kSixth, kSixth, kSixth});
  PackedBatch second;
  CHECK(pack(Recipe{Dapo{}}, {1}, second) == 3);
  CHECK(second.loss_weight == std::vector<float>{0, 1.0F / 3, 1.0F / 3, 1.0F / 3});
}

TEST_CASE("rollouts that are not read are counted all the same", "[train]") {
  PackedBatch batch;
  CHECK(pack(Recipe{Dapo{}}, {0, 1}, batch, 0, false) == 3);
  CHECK(batch.loss_weight == std::vector<float>{0, 1.0F / 6, 1.0F / 6, 1.0F / 6});
}

TEST_CASE("agents aggregated apart have means of their own", "[train]") {
  PackedBatch batch;
  const Recipe recipe{Dapo{}, PerAgentMeans<>{.answerer_weight = 2.0, .summarizer_weight = 0.5}};
  CHECK(pack(recipe, {0, 1}, batch) == 6);
  CHECK(batch.loss_weight == std::vector<float>{0, 0.4F, 0.4F, 0.5F, 0, 0.4F, 0.4F, 0.4F});
}

TEST_CASE("a model without rows in the minibatch packs nothing", "[train]") {
  PackedBatch batch;
  CHECK(pack(Recipe{Dapo{}}, {0, 1}, batch, 1) == 0);
  CHECK(batch.rows() == 0);
}
