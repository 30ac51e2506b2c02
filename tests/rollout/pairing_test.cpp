#include "dualagent/rollout/pairing.hpp"

#include <tuple>
#include <type_traits>
#include <vector>

#include "dualagent/model/scripted.hpp"
#include "support/bigram_model.hpp"
#include "support/catch.hpp"

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

TEST_CASE("a copied pairing names the same models", "[rollout]") {
  ScriptedModel model = silent(4);
  const SharedWeights pairing{model};
  const SharedWeights copy = pairing;
  CHECK(&std::get<0>(copy.models()) == &model);
}
