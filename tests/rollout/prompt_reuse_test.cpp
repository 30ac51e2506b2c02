// How much a model computes for the rollouts that a scheduler plays.

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "dualagent/model/transformer.hpp"
#include "dualagent/rollout/scheduler.hpp"
#include "support/catch.hpp"
#include "support/toy_protocol.hpp"

using namespace dualagent;

namespace {

constexpr std::size_t kPrompt = 100, kMembers = 8;

/// A long prompt that differs from task to task; every turn of four tokens is a call, every summary
/// of four is good.
struct WordyDialect : toy::Dialect {
  std::vector<Token> prompt(const Task& task) const {
    const RandomStream random = RandomStream::from_seed(task.prompt.size());
    std::vector<Token> tokens;
    for (std::size_t i = 0; i < kPrompt; ++i)
      tokens.push_back(static_cast<Token>(random.below(i, toy::vocab)));
    return tokens;
  }
  static StopRule four_tokens() {
    return {.stop_tokens = {}, .max_new_tokens = 8, .stop_early = [](std::span<const Token> said) {
              return said.size() == 4;
            }};
  }
  StopRule turn_stop() const { return four_tokens(); }
  StopRule summary_stop() const { return four_tokens(); }
  Turn parse_turn(std::span<const Token> said) const {
    return std::vector<ToolCall>{{"successor", "{\"x\":" + std::to_string(said[0] % 7) + "}"}};
  }
  std::optional<std::string> check_summary(std::span<const Token>) const { return std::nullopt; }
};

/// A transformer beside which it is counted what it would compute if each sequence were alone.
struct CountedModel {
  Transformer<float> model;
  std::map<SequenceId, std::size_t> tokens;  // of each sequence: of its last request, with answer

  explicit CountedModel(std::uint64_t seed)
      : model({.vocab_size = toy::vocab,
               .hidden_size = 8,
               .num_hidden_layers = 1,
               .num_attention_heads = 2,
               .num_key_value_heads = 1,
               .head_dim = 4,
               .intermediate_size = 8,
               .max_position_embeddings = 256},
              {.seed = seed}) {}

  void submit(const GenerationRequest& request) {
    tokens[request.sequence] = request.context.size();
    model.submit(request);
  }
  template <class OnFinished>
  std::size_t advance(OnFinished&& on_finished) {
    return model.advance([&](Generation&& done) {
      tokens[done.sequence] += done.sampled.tokens().size();
      on_finished(std::move(done));
    });
  }
  void release(SequenceId sequence) { model.release(sequence); }
  void reset() { model.reset(); }
  std::size_t vocab_size() const { return model.vocab_size(); }
  std::size_t max_context_tokens() const { return model.max_context_tokens(); }
  WeightVersion weight_version() const { return model.weight_version(); }

  /// Nobody reads the last token of a sequence.
  std::size_t alone() const {
    std::size_t sum = 0;
    for (const auto& [sequence, count] : tokens) sum += count - 1;
    return sum;
  }
  void check_that_each_prompt_was_computed_once(std::size_t groups) const {
    const PositionCounts counts = model.position_counts();
    REQUIRE(tokens.size() > groups * kMembers);
    CHECK(counts.computed <= alone() - (tokens.size() - groups) * (kPrompt - 1));
  }
};

std::string text_of(const Rollout& rollout) {
  std::string text;
  for (const Segment& segment : rollout.segments) {
    for (const Token token : segment.context.tokens()) text += " " + std::to_string(token);
    text += ";";
  }
  return text;
}

/// The texts of the rollouts of `groups` groups: two summaries each, at most `live` at a time.
template <class Pairing>
std::vector<std::string> play(Pairing pairing, std::size_t groups, std::size_t live) {
  const Protocol protocol{
      WordyDialect{}, toy::Tools{toy::Successor<>{}}, TurnCount{.turns = 3}, ReplaceBySummary{},
      RolloutLimits{.max_context_tokens = 256, .max_turns = 8, .max_calls = 100}};
  RolloutScheduler scheduler{pairing, protocol, {.max_live_episodes = live}};
  std::vector<Task> tasks;
  for (std::size_t g = 0; g < groups; ++g)
    tasks.push_back({.id = std::to_string(g), .prompt = std::string(g, '1')});
  std::vector<std::string> texts;
  for (const Rollout& rollout : scheduler.run(tasks, kMembers, {}, RandomStream::from_seed(1))) {
    CHECK(rollout.summaries == 2);
    texts.push_back(text_of(rollout));
  }
  return texts;
}

constexpr std::size_t kAll = 256;

}  // namespace

TEST_CASE("the prompt of a group is computed once, also after summaries", "[rollout][cache]") {
  CountedModel together(1);
  const auto expected = play(SharedWeights{together}, 2, kAll);
  together.check_that_each_prompt_was_computed_once(2);
  for (const std::size_t live : {3U, 1U}) {
    INFO(live << " episodes at a time");
    CountedModel model(1), of_two(1);
    play(SharedWeights{model}, 1, live);
    model.check_that_each_prompt_was_computed_once(1);
    CHECK(play(SharedWeights{of_two}, 2, live) == expected);
  }
}

TEST_CASE("each model of a pair computes the prompt of a group once", "[rollout][cache]") {
  CountedModel answerer(1), summarizer(2);
  const auto expected = play(SeparateWeights{answerer, summarizer}, 2, kAll);
  answerer.check_that_each_prompt_was_computed_once(2);
  summarizer.check_that_each_prompt_was_computed_once(2);
  for (const std::size_t live : {3U, 1U}) {
    INFO(live << " episodes at a time");
    CountedModel one(1), other(2), of_two(1), beside(2);
    play(SeparateWeights{one, other}, 1, live);
    one.check_that_each_prompt_was_computed_once(1);
    other.check_that_each_prompt_was_computed_once(1);
    CHECK(play(SeparateWeights{of_two, beside}, 2, live) == expected);
  }
}
