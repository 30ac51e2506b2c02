#include "dualagent/rollout/pairing.hpp"

#include <tuple>
#include <type_traits>
#include <vector>

#include "dualagent/model/adapted_transformer.hpp"
#include "dualagent/model/scripted.hpp"
#include "support/bigram_model.hpp"
#include "support/catch.hpp"
#include "support/odd_shape.hpp"
#include "support/remote_engine.hpp"

using namespace dualagent;

namespace {

ScriptedModel silent(std::size_t vocab_size) {
  return ScriptedModel{vocab_size, [](std::span<const Token>, AgentRole, const RandomStream&) {
                         return std::vector<Token>{0};
                       }};
}

template <class Pairing>
std::vector<std::pair<const void*, std::size_t>> visited(const Pairing& pairing) {
  std::vector<std::pair<const void*, std::size_t>> all;
  for_each_model(pairing, [&](auto& model, auto index) {
    static_assert(decltype(index)::value < 2);  // usable where a constant is needed
    all.emplace_back(&model, index);
  });
  return all;
}

}  // namespace

TEST_CASE("shared weights are one model that plays both roles in one window", "[rollout]") {
  ScriptedModel model = silent(4);
  const SharedWeights pairing{model};
  CHECK(visited(pairing) == std::vector<std::pair<const void*, std::size_t>>{{&model, 0}});
  CHECK(pairing.model_of(AgentRole::answerer) == 0);
  CHECK(pairing.model_of(AgentRole::summarizer) == 0);
  CHECK(SharedWeights<ScriptedModel>::summary_window == SummaryWindow::shared);
}

TEST_CASE("separate weights are two models, of one type or of two", "[rollout]") {
  ScriptedModel answerer = silent(4);
  BigramModel summarizer(4);
  const SeparateWeights pairing{answerer, summarizer};
  CHECK(visited(pairing) ==
        std::vector<std::pair<const void*, std::size_t>>{{&answerer, 0}, {&summarizer, 1}});
  CHECK(pairing.model_of(AgentRole::answerer) == 0);
  CHECK(pairing.model_of(AgentRole::summarizer) == 1);
  static_assert(
      std::is_same_v<decltype(pairing.models()), std::tuple<ScriptedModel&, BigramModel&>>);
  CHECK(decltype(pairing)::summary_window == SummaryWindow::separate);
}

TEST_CASE("a role may only sample, or learn in one object and sample in another", "[rollout]") {
  BigramModel learner(4);
  RemoteEngine engine(4);
  ScriptedModel summarizer = silent(4);
  const SeparateWeights pairing{Learning{learner, engine}, Frozen{summarizer}};
  CHECK(visited(pairing) ==
        std::vector<std::pair<const void*, std::size_t>>{{&engine, 0}, {&summarizer, 1}});
  const auto models = pairing.models();
  CHECK(&std::get<0>(models).learner == &learner);
  using Pairing = std::remove_const_t<decltype(pairing)>;
  static_assert(
      std::is_same_v<Pairing,
                     SeparateWeights<Learning<BigramModel, RemoteEngine>, Frozen<ScriptedModel>>>);
  CHECK(is_trained_role<Pairing>(AgentRole::answerer));
  CHECK(!is_trained_role<Pairing>(AgentRole::summarizer));
}

TEST_CASE("all that a role may be fits every pairing", "[rollout]") {
  BigramModel learner(4), other(4);
  RemoteEngine engine(4);
  const Frozen frozen{engine};  // a role may have a name
  const SeparateWeights first{frozen, other};
  CHECK(visited(first) ==
        std::vector<std::pair<const void*, std::size_t>>{{&engine, 0}, {&other, 1}});
  CHECK(!is_trained_role<std::remove_const_t<decltype(first)>>(AgentRole::answerer));
  const SharedWeights both{Learning{learner, engine}};
  CHECK(visited(both) == std::vector<std::pair<const void*, std::size_t>>{{&engine, 0}});
  CHECK(is_trained_role<std::remove_const_t<decltype(both)>>(AgentRole::summarizer));
  const SharedWeights watched{Frozen{other}};
  CHECK(visited(watched) == std::vector<std::pair<const void*, std::size_t>>{{&other, 0}});
}

TEST_CASE("a copied pairing names the same models", "[rollout]") {
  ScriptedModel model = silent(4);
  const SharedWeights pairing{model};
  const SharedWeights copy = pairing;
  CHECK(&std::get<0>(copy.models()) == &model);
}

TEST_CASE(
    "two adapters of one base are a pair, two of different bases or one in both roles are not",
    "[rollout][lora]") {
  Transformer<float> base(odd_shape()), other(odd_shape());
  AdaptedTransformer answerer(base, {.rank = 1}), summarizer(base, {.rank = 2});
  AdaptedTransformer stranger(other, {.rank = 1});
  const SharedBase pairing{base, answerer, summarizer};
  CHECK(visited(pairing) ==
        std::vector<std::pair<const void*, std::size_t>>{{&answerer, 0}, {&summarizer, 1}});
  CHECK(pairing.model_of(AgentRole::summarizer) == 1);
  CHECK(decltype(pairing)::summary_window == SummaryWindow::separate);
  CHECK(visited(SharedBase{base, answerer, Frozen{summarizer}}) == visited(pairing));
  CHECK_THROWS_WITH((SharedBase{base, answerer, stranger}),
                    ContainsSubstring("not an adapter of this base"));
  CHECK_THROWS_WITH((SharedBase{base, answerer, answerer}), ContainsSubstring("one adapter"));
}
