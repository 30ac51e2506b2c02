#include "dualagent/model/scripted.hpp"

#include <cmath>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;

namespace {

std::vector<Token> said(const Generation& generation) {
  return {generation.sampled.tokens().begin(), generation.sampled.tokens().end()};
}

/// Always says the same.
ScriptedModel::Script always(std::vector<Token> tokens) {
  return [tokens](std::span<const Token>, AgentRole, const RandomStream&) { return tokens; };
}

Generation run(ScriptedModel& model, const GenerationRequest& request,
               std::size_t* steps = nullptr) {
  std::vector<Generation> results;
  model.submit(request);
  std::size_t count = 1;
  while (model.advance([&](Generation&& done) { results.push_back(std::move(done)); }) > 0) ++count;
  if (steps != nullptr) *steps = count;
  REQUIRE(results.size() == 1);
  return results.front();
}

}  // namespace

TEST_CASE("a script is said up to the stop token, one token per advance", "[model][scripted]") {
  ScriptedModel model(10, always({4, 5, 9, 6}));
  const StopRule stop{.stop_tokens = {8, 9}, .max_new_tokens = 20, .stop_early = {}};
  const std::vector<Token> context{1, 2};
  std::size_t steps = 0;
  const Generation result = run(model,
                                {.sequence = 31,
                                 .context = context,
                                 .agent = AgentRole::summarizer,
                                 .sampling = {},
                                 .stop = &stop,
                                 .random = {}},
                                &steps);
  CHECK(result.sequence == 31);
  CHECK(said(result) == std::vector<Token>{4, 5, 9});
  CHECK(result.finish == FinishReason::stop);
  CHECK(result.sampled.agent() == AgentRole::summarizer);
  for (const WeightVersion version : result.sampled.weight_versions()) CHECK(version == 0);
  CHECK(steps == 3);
  for (const float log_prob : result.sampled.log_probs()) CHECK(log_prob == std::log(0.5F));
}

TEST_CASE("the script sees context, agent and random stream", "[model][scripted]") {
  const RandomStream random = RandomStream::from_seed(4);
  std::size_t calls = 0;
  ScriptedModel model(
      10, [&](std::span<const Token> context, AgentRole agent, const RandomStream& stream) {
        ++calls;
        CHECK(std::vector<Token>(context.begin(), context.end()) == std::vector<Token>{1, 2});
        CHECK(agent == AgentRole::answerer);
        CHECK(stream == random);
        return std::vector<Token>{3};
      });
  const StopRule stop{.stop_tokens = {}, .max_new_tokens = 1, .stop_early = {}};
  const std::vector<Token> context{1, 2};
  const Generation result = run(model, {.sequence = 0,
                                        .context = context,
                                        .agent = AgentRole::answerer,
                                        .sampling = {},
                                        .stop = &stop,
                                        .random = random});
  CHECK(said(result) == std::vector<Token>{3});
  CHECK(calls == 1);
}

TEST_CASE("limits and early stops end a script", "[model][scripted]") {
  ScriptedModel model(10, always({4, 5, 6, 7}), 5);
  const auto result_with = [&](const StopRule& stop, const std::vector<Token>& context) {
    return run(model, {.sequence = 0,
                       .context = context,
                       .agent = AgentRole::answerer,
                       .sampling = {},
                       .stop = &stop,
                       .random = {}});
  };
  const Generation length =
      result_with({.stop_tokens = {}, .max_new_tokens = 2, .stop_early = {}}, {1});
  CHECK(said(length) == std::vector<Token>{4, 5});
  CHECK(length.finish == FinishReason::length);

  const Generation early =
      result_with({.stop_tokens = {},
                   .max_new_tokens = 9,
                   .stop_early = [](std::span<const Token> tokens) { return tokens.back() == 6; }},
                  {1});
  CHECK(said(early) == std::vector<Token>{4, 5, 6});
  CHECK(early.finish == FinishReason::early);

  const Generation full =
      result_with({.stop_tokens = {}, .max_new_tokens = 9, .stop_early = {}}, {1, 2, 3});
  CHECK(said(full) == std::vector<Token>{4, 5});  // 3 + 2 = 5 tokens of context
  CHECK(full.finish == FinishReason::context_full);
}

TEST_CASE("a script that says too little is an error", "[model][scripted]") {
  const StopRule stop{.stop_tokens = {9}, .max_new_tokens = 9, .stop_early = {}};
  const std::vector<Token> context{1};
  const GenerationRequest request{.sequence = 0,
                                  .context = context,
                                  .agent = AgentRole::answerer,
                                  .sampling = {},
                                  .stop = &stop,
                                  .random = {}};
  ScriptedModel silent(10, always({}));
  CHECK_THROWS_WITH(silent.submit(request), ContainsSubstring("no tokens"));
  ScriptedModel brief(10, always({1, 2}));
  brief.submit(request);
  const auto ignore = [](Generation&&) {};
  CHECK(brief.advance(ignore) == 1);
  CHECK_THROWS_WITH(brief.advance(ignore), ContainsSubstring("without a stop token"));
}

TEST_CASE("reset forgets running scripts", "[model][scripted]") {
  ScriptedModel model(10, always({1, 2, 3}));
  const StopRule stop{.stop_tokens = {}, .max_new_tokens = 3, .stop_early = {}};
  const std::vector<Token> context{1};
  model.submit({.sequence = 0,
                .context = context,
                .agent = AgentRole::answerer,
                .sampling = {},
                .stop = &stop,
                .random = {}});
  std::size_t finished = 0;
  CHECK(model.advance([&](Generation&&) { ++finished; }) == 1);
  model.reset();
  CHECK(model.advance([&](Generation&&) { ++finished; }) == 0);
  CHECK(finished == 0);
  CHECK(model.vocab_size() == 10);
}

TEST_CASE("a script that is empty is refused by name", "[model]") {
  CHECK_THROWS_WITH(ScriptedModel(5, ScriptedModel::Script()),
                    ContainsSubstring("script is empty (ScriptedModel)"));
}
