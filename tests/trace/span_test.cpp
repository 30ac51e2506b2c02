#include "dualagent/trace/span.hpp"

#include <algorithm>
#include <limits>
#include <set>
#include <string>
#include <type_traits>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;

namespace {

Sampled sample(std::vector<Token> tokens, std::vector<float> log_probs) {
  return BackendAccess::sampled(AgentRole::summarizer, 7, std::move(tokens), std::move(log_probs));
}

// Only BackendAccess makes sampled tokens.
static_assert(!std::is_default_constructible_v<Sampled>);
static_assert(!std::is_aggregate_v<Sampled>);
static_assert(!std::is_constructible_v<Sampled, AgentRole, std::vector<WeightVersion>,
                                       std::vector<Token>, std::vector<float>, std::vector<float>>);

}  // namespace

TEST_CASE("a sampled span carries tokens, log-probabilities, agent and weight version", "[trace]") {
  const Sampled sampled = sample({3, 1}, {-0.5F, 0.0F});
  CHECK(std::vector<Token>(sampled.tokens().begin(), sampled.tokens().end()) ==
        std::vector<Token>{3, 1});
  CHECK(std::vector<float>(sampled.log_probs().begin(), sampled.log_probs().end()) ==
        std::vector<float>{-0.5F, 0.0F});
  CHECK(sampled.agent() == AgentRole::summarizer);
  CHECK(std::ranges::equal(sampled.weight_versions(), std::vector<WeightVersion>{7, 7}));
}

TEST_CASE("the tokens of one span may come from weights of several versions", "[trace]") {
  const Sampled sampled =
      BackendAccess::sampled(AgentRole::answerer, {4, 4, 9}, {1, 2, 3}, {-1.0F, -1.0F, -1.0F});
  CHECK(std::ranges::equal(sampled.weight_versions(), std::vector<WeightVersion>{4, 4, 9}));
  CHECK(version_runs(sampled.weight_versions()) == std::vector<VersionRun>{{4, 2}, {9, 1}});
  CHECK(version_runs({}).empty());
  CHECK_THROWS_WITH(BackendAccess::sampled(AgentRole::answerer, std::vector<WeightVersion>{4},
                                           {1, 2}, {-1.0F, -1.0F}),
                    ContainsSubstring("2 tokens but 1 weight versions"));
}

TEST_CASE("a backend must report one log-probability per token", "[trace]") {
  CHECK_THROWS_WITH(sample({3, 1}, {-0.5F}), ContainsSubstring("2 tokens but 1 log-probabilities"));
  CHECK_THROWS_AS(sample({}, {-0.5F}), Error);
  CHECK_NOTHROW(sample({}, {}));
}

TEST_CASE("a log-probability that is none is refused with its place", "[trace]") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  for (const float bad : {nan, infinity, -infinity, 0.5F})
    CHECK_THROWS_WITH(sample({1, 2, 3}, {-1.0F, bad, -1.0F}),
                      ContainsSubstring("token 1 of the span"));
  CHECK_NOTHROW(sample({1}, {1e-6F}));  // rounding
}

TEST_CASE("where tokens were left out, a span carries the log-probabilities of the draw as well",
          "[trace]") {
  const auto sampled = [](std::vector<float> drawn) {
    return BackendAccess::sampled(AgentRole::answerer, 7, {1, 2}, {-1.0F, -2.0F}, std::move(drawn));
  };
  const Sampled cut = sampled({-0.5F, 0.0F});
  CHECK(cut.left_out());
  CHECK(std::ranges::equal(cut.log_probs(), std::vector<float>{-1.0F, -2.0F}));
  CHECK(std::ranges::equal(cut.drawn_log_probs(), std::vector<float>{-0.5F, 0.0F}));
  for (const Sampled& whole : {sampled({}), sampled({-1.0F, -2.0F})}) {
    CHECK(!whole.left_out());
    CHECK(std::ranges::equal(whole.drawn_log_probs(), std::vector<float>{-1.0F, -2.0F}));
  }
  CHECK_THROWS_WITH(sampled({-0.5F}), ContainsSubstring("1 log-probabilities of the draw"));
  CHECK_THROWS_WITH(sampled({-0.5F, 1.0F}), ContainsSubstring("token 1 of the span"));
}

TEST_CASE("a span ends behind its last token and knows who begins a turn", "[trace]") {
  const Span span{
      .provenance = Provenance::sampled, .agent = AgentRole::answerer, .begin = 4, .size = 3};
  CHECK(span.end() == 7);
  for (const Provenance provenance :
       {Provenance::prompt, Provenance::observation, Provenance::injected, Provenance::summary,
        Provenance::action, Provenance::demonstration, Provenance::sampled}) {
    Span other = span;
    other.provenance = provenance;
    const bool speaks = provenance == Provenance::action ||
                        provenance == Provenance::demonstration ||
                        provenance == Provenance::sampled;
    CHECK(other.is_sampled() == (provenance == Provenance::sampled));
    CHECK(starts_turn(other) == speaks);
    other.agent = AgentRole::summarizer;
    CHECK(!starts_turn(other));
  }
}

TEST_CASE("every provenance has a name of its own", "[trace]") {
  std::set<std::string_view> names;
  for (const Provenance provenance :
       {Provenance::prompt, Provenance::observation, Provenance::injected, Provenance::summary,
        Provenance::action, Provenance::demonstration, Provenance::sampled})
    names.insert(to_string(provenance));
  CHECK(names.size() == 7);
  CHECK(names.count("unknown") == 0);
  CHECK(to_string(Provenance::sampled) == "sampled");
}
