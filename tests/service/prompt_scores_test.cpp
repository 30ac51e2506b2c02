#include "dualagent/service/prompt_scores.hpp"

#include "dualagent/model/adapted_transformer.hpp"
#include "dualagent/model/scripted.hpp"
#include "support/catch.hpp"
#include "support/engine_double.hpp"
#include "support/error_of.hpp"
#include "support/temporary_folder.hpp"
#include "support/wait_for.hpp"

using namespace dualagent;

static_assert(kScoresPrompts<Transformer<float>>);
static_assert(kScoresPrompts<AdaptedTransformer<float>>);
static_assert(!kScoresPrompts<ScriptedModel>);

TEST_CASE("a prompt's scores are what the sampler would draw its tokens with", "[service]") {
  const TemporaryFolder folder;
  engine_double::Served served(folder / "served");
  const std::vector<Token> prompt{3, 1, 4};
  const std::vector<double> scores = prompt_scores(served.learner, prompt);
  REQUIRE(scores.size() == 2);
  // Greedy decoding reports log-probabilities at temperature 1: of its own token they must agree.
  const StopRule stop{.max_new_tokens = 1};
  std::optional<Generation> next;
  served.learner.submit(
      {.context = prompt, .sampling = {.temperature = 0}, .stop = &stop, .random = {}});
  wait_for("a generation", [&] {
    served.learner.advance([&](Generation&& one) { next = std::move(one); });
    return next.has_value();
  });
  std::vector<Token> longer = prompt;
  longer.push_back(next->sampled.tokens()[0]);
  CHECK(static_cast<float>(prompt_scores(served.learner, longer)[2]) ==
        next->sampled.log_probs()[0]);
  CHECK(prompt_scores(served.learner, longer)[0] == scores[0]);
  CHECK(prompt_scores(served.learner, {5}).empty());
}

TEST_CASE("a sampler that learns nothing scores nothing", "[service]") {
  ScriptedModel model(10, [](auto...) { return std::vector<Token>{1}; });
  CHECK_THAT(error_of([&] {
               prompt_scores(model, {1, 2});
             }),
             ContainsSubstring("cannot score prompts"));
}
