#include "dualagent/trace/context.hpp"

#include <algorithm>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;

namespace {
using Tokens = std::vector<Token>;
}

TEST_CASE("an empty context has no tokens and no spans", "[trace]") {
  const Context context;
  CHECK(context.empty());
  CHECK(context.size() == 0);
  CHECK(context.tokens().empty());
  CHECK(context.spans().empty());
  CHECK(count_turns(context) == 0);
}

TEST_CASE("tokens, log-probabilities, weight versions and spans grow together", "[trace]") {
  Context context;
  context.append(Provenance::prompt, Tokens{1, 2});
  context.append(
      BackendAccess::sampled(AgentRole::answerer, {9, 9, 11}, {3, 4, 5}, {-1.0F, -2.0F, -3.0F}));
  context.append(Given{Provenance::summary, {6}, AgentRole::summarizer});
  CHECK(Tokens(context.tokens().begin(), context.tokens().end()) == Tokens{1, 2, 3, 4, 5, 6});
  CHECK(std::vector<float>(context.log_probs().begin(), context.log_probs().end()) ==
        std::vector<float>{0, 0, -1, -2, -3, 0});
  CHECK(
      std::ranges::equal(context.weight_versions(), std::vector<WeightVersion>{0, 0, 9, 9, 11, 0}));
  const auto spans = context.spans();
  REQUIRE(spans.size() == 3);
  CHECK(spans[0].begin == 0);
  CHECK(spans[0].size == 2);
  CHECK(spans[1].is_sampled());
  CHECK(spans[1].begin == 2);
  CHECK(spans[1].size == 3);
  CHECK(spans[2].provenance == Provenance::summary);
  CHECK(spans[2].agent == AgentRole::summarizer);
  CHECK(spans[2].begin == 5);
  const auto said = context.tokens(spans[1]);
  CHECK(Tokens(said.begin(), said.end()) == Tokens{3, 4, 5});
  CHECK(
      std::ranges::equal(context.weight_versions(spans[1]), std::vector<WeightVersion>{9, 9, 11}));
}

TEST_CASE("the log-probabilities of the draw stand beside those of the softmax", "[trace]") {
  const auto drawn = [](const Context& context) {
    return std::vector<float>(context.drawn_log_probs().begin(), context.drawn_log_probs().end());
  };
  Context context;
  context.append(Provenance::prompt, Tokens{1});
  context.append(BackendAccess::sampled(AgentRole::answerer, 9, {2}, {-1.0F}));
  CHECK(drawn(context) == std::vector<float>{0, -1});
  context.append(
      BackendAccess::sampled(AgentRole::answerer, 9, {3, 4}, {-2.0F, -3.0F}, {-0.5F, -3.0F}));
  context.append(Provenance::observation, Tokens{5});
  context.append(BackendAccess::sampled(AgentRole::answerer, 9, {6}, {-4.0F}));
  CHECK(drawn(context) == std::vector<float>{0, -1, -0.5F, -3, 0, -4});
  CHECK(std::ranges::equal(context.log_probs(), std::vector<float>{0, -1, -2, -3, 0, -4}));
}

TEST_CASE("given tokens cannot claim to be sampled", "[trace]") {
  Context context;
  CHECK_THROWS_WITH(context.append(Provenance::sampled, Tokens{1}),
                    ContainsSubstring("Only a sampler makes sampled spans"));
  CHECK_THROWS_AS(context.append(Given{Provenance::sampled, {1}}), Error);
  CHECK_THROWS_AS(context.append(Provenance::sampled, Tokens{}), Error);
  CHECK(context.empty());  // a refused append leaves nothing behind
  CHECK(context.spans().empty());
}

TEST_CASE("empty runs leave no span", "[trace]") {
  Context context;
  context.append(Provenance::observation, Tokens{});
  context.append(BackendAccess::sampled(AgentRole::answerer, 0, {}, {}));
  CHECK(context.spans().empty());
}

TEST_CASE("turns are counted whether sampled, shown or kept", "[trace]") {
  Context context;
  context.append(Provenance::prompt, Tokens{1});
  context.append(Provenance::summary, Tokens{2}, AgentRole::summarizer);
  context.append(Provenance::action, Tokens{3});
  context.append(Provenance::observation, Tokens{4});
  context.append(Provenance::demonstration, Tokens{5});
  context.append(BackendAccess::sampled(AgentRole::answerer, 0, {6}, {-1.0F}));
  CHECK(count_turns(context) == 3);
  context.append(Provenance::injected, Tokens{7});
  context.append(BackendAccess::sampled(AgentRole::summarizer, 0, {8}, {-1.0F}));
  context.append(Provenance::demonstration, Tokens{9}, AgentRole::summarizer);
  CHECK(count_turns(context) == 3);  // the Summarizer takes no turns
}
