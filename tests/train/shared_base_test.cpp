/// A pair that is two adapters over one frozen base, under the unchanged trainer.

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "dualagent/model/adapted_transformer.hpp"
#include "dualagent/train/supervised.hpp"
#include "dualagent/train/trainer.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/guessing_pair.hpp"
#include "support/temporary_folder.hpp"
#include "support/toy_protocol.hpp"

using namespace dualagent;
using guessing::five_tasks;

namespace {

/// A call and, in the next window, an answer; or the summary between them.
std::vector<Segment> demonstrations() {
  std::vector<Segment> all;
  const auto add = [&](const std::vector<Token>& given, const std::vector<Token>& said) {
    Segment segment;
    segment.context.append(Provenance::prompt, given);
    segment.context.append(Provenance::demonstration, said);
    all.push_back(std::move(segment));
  };
  for (int d = 0; d < 10; ++d) {
    const Token prompt = toy::digit(d % 3), x = toy::digit(d), y = toy::digit((d + 1) % 10);
    add({toy::bos, prompt}, {toy::call, x, toy::end});
    add({toy::bos, prompt, toy::call, x, toy::end, toy::observation, y, toy::request},
        {toy::summary, y, toy::end});
    add({toy::bos, prompt, toy::summary, y, toy::end}, {toy::answer, x, toy::end});
  }
  return all;
}

/// Knows the format; the same every time.
Transformer<float> make_base() {
  Transformer<float> base({.vocab_size = toy::vocab,
                           .hidden_size = 16,
                           .num_hidden_layers = 1,
                           .num_attention_heads = 2,
                           .num_key_value_heads = 1,
                           .head_dim = 8,
                           .intermediate_size = 24,
                           .max_position_embeddings = 64},
                          {.seed = 2});
  SupervisedTrainer trainer{base, {.optimizer = {.learning_rate = 2e-2}}};
  for (int step = 0; step < 40; ++step) trainer.step(demonstrations());
  return base;
}

template <class Model>
std::vector<float> weights(Model& model) {
  return {model.parameters().begin(), model.parameters().end()};
}

struct Pair {
  explicit Pair(Transformer<float>& answerers, Transformer<float>& summarizers)
      : answerer(answerers, {.rank = 2, .seed = 1}),
        summarizer(summarizers,
                   {.rank = 3, .targets = {TensorRole::query, TensorRole::down}, .seed = 2}) {}
  AdaptedTransformer<float> answerer, summarizer;
};

auto early_summaries() {
  return Protocol{toy::Dialect{.max_turn_tokens = 4}, toy::Tools{toy::Successor<>{}},
                  TurnCount{.turns = 1}, ReplaceBySummary{},
                  RolloutLimits{.max_context_tokens = 64, .max_turns = 6}};
}

template <class Pairing>
auto trainer_of(const Pairing& pairing) {
  return Trainer{pairing,
                 early_summaries(),
                 ExactMatch{},
                 Recipe{Dapo{}},
                 LocalCollective{},
                 {.group_size = 8, .update = {.optimizer = {.learning_rate = 1e-2}}, .seed = 3}};
}

}  // namespace

TEST_CASE("two adapters over one base are trained as two models adapted apart", "[train][lora]") {
  Transformer<float> base = make_base();
  const std::vector<float> frozen = weights(base);
  Pair together(base, base);
  const std::vector<float> answerer_before = weights(together.answerer),
                           summarizer_before = weights(together.summarizer);
  auto trainer = trainer_of(SharedBase{base, together.answerer, together.summarizer});

  Transformer<float> first = make_base(), second = make_base();
  Pair apart(first, second);
  auto separate = trainer_of(SeparateWeights{apart.answerer, apart.summarizer});

  double summaries = 0, updates = 0;
  for (int step = 0; step < 4; ++step) {
    const StepMetrics metrics = trainer.step(five_tasks(8));
    CHECK(metrics.max_abs_log_ratio == 0.0);
    summaries += metrics.summaries;
    updates += metrics.updates;
    separate.step(five_tasks(8));
  }
  CHECK(summaries > 0);
  CHECK(updates > 0);
  CHECK(weights(base) == frozen);
  CHECK(weights(together.answerer) != answerer_before);
  CHECK(weights(together.summarizer) != summarizer_before);
  CHECK(weights(together.answerer) == weights(apart.answerer));
  CHECK(weights(together.summarizer) == weights(apart.summarizer));
}

TEST_CASE("a saved pair of adapters goes on bit for bit, and the base is not in the checkpoint",
          "[train][lora]") {
  TemporaryFolder folder;
  Transformer<float> base = make_base();
  Pair pair(base, base);
  auto straight = trainer_of(SharedBase{base, pair.answerer, pair.summarizer});
  for (int step = 0; step < 4; ++step) {
    straight.step(five_tasks(8));
    if (step != 1) continue;
    Checkpoint checkpoint{.step = 2};
    straight.save(checkpoint);
    write_checkpoint(folder.path(), checkpoint);
  }
  Pair again(base, base);
  auto resumed = trainer_of(SharedBase{base, again.answerer, again.summarizer});
  const auto stored = *latest_checkpoint(folder.path(), {}).checkpoint;
  stored.require_array<float>("model0.weights", pair.answerer.parameters().size());
  stored.require_array<float>("model1.weights", pair.summarizer.parameters().size());
  resumed.load(stored);
  for (int step = 2; step < 4; ++step) resumed.step(five_tasks(8));
  CHECK(weights(again.answerer) == weights(pair.answerer));
  CHECK(weights(again.summarizer) == weights(pair.summarizer));
}

TEST_CASE("a checkpoint is refused by a model that computes otherwise", "[train]") {
  const TransformerConfig config{.vocab_size = 5,
                                 .hidden_size = 4,
                                 .num_hidden_layers = 1,
                                 .num_attention_heads = 1,
                                 .num_key_value_heads = 1,
                                 .head_dim = 4,
                                 .intermediate_size = 6,
                                 .max_position_embeddings = 8};
  const TransformerOptions options{.seed = 1};
  TemporaryFolder folder;
  {
    Transformer<float> model(config, options);
    SupervisedTrainer trainer{model};
    Checkpoint checkpoint{.step = 1};
    trainer.save(checkpoint);
    write_checkpoint(folder.path(), checkpoint);
  }
  const auto error = [&](const TransformerConfig& shape, const TransformerOptions& made) {
    Transformer<float> model(shape, made);
    SupervisedTrainer trainer{model};
    return error_of([&] { trainer.load(*latest_checkpoint(folder.path(), {}).checkpoint); });
  };
  CHECK(error(config, options) == "no error");
  TransformerConfig other = config;
  other.max_position_embeddings = 16;
  CHECK(error(other, options) == "no error");
  other.rope_theta = 20000;
  CHECK_THAT(error(other, options), ContainsSubstring("is another model: rope_theta was 10000 and "
                                                      "is 20000"));
  TransformerOptions rounding = options;
  rounding.precision = Precision::bfloat16;
  CHECK_THAT(error(config, rounding),
             ContainsSubstring("precision was of parameters and is bfloat16"));
}

TEST_CASE("a checkpoint of an adapter is refused by another adapter and over another base",
          "[train][lora]") {
  TemporaryFolder folder;
  Transformer<float> base = make_base();
  const auto trainer_for = [](AdaptedTransformer<float>& model) {
    return SupervisedTrainer<AdaptedTransformer<float>>(model);
  };
  const auto error = [&](Transformer<float>& over, LowRank options) {
    AdaptedTransformer<float> model(over, options);
    auto trainer = trainer_for(model);
    return error_of([&] { trainer.load(*latest_checkpoint(folder.path(), {}).checkpoint); });
  };
  using enum TensorRole;
  const LowRank options{.rank = 2, .alpha = 4, .targets = {query, value}, .seed = 1};
  {
    AdaptedTransformer<float> model(base, options);
    auto trainer = trainer_for(model);
    Checkpoint checkpoint{.step = 1};
    trainer.save(checkpoint);
    write_checkpoint(folder.path(), checkpoint);
  }
  LowRank other = options;
  other.rank = 1;
  other.alpha = 2;  // the same scale
  CHECK_THAT(error(base, other),
             ContainsSubstring("model0 is another model: rank was 2 and is 1") &&
                 !ContainsSubstring("scale"));
  other = options;
  other.alpha = 8;
  CHECK_THAT(error(base, other), ContainsSubstring("scale was 2 and is 4"));
  other = options;
  other.targets = {query, key};  // of the sizes of query and value
  CHECK_THAT(error(base, other), ContainsSubstring("targets was query value and is query key"));
  other = options;
  other.seed = 7;  // of what is overwritten
  CHECK(error(base, other) == "no error");
  base.parameters()[5] += 0.25F;
  base.weights_changed();
  CHECK_THAT(error(base, options), ContainsSubstring("base was"));
  Transformer<float> again = make_base();
  CHECK(error(again, options) == "no error");
}

TEST_CASE("an adapter beside a frozen one over the same base", "[train][lora]") {
  Transformer<float> base = make_base();
  Pair pair(base, base);
  const std::vector<float> before = weights(pair.summarizer);
  Trainer trainer{SharedBase{base, pair.answerer, Frozen{pair.summarizer}},
                  early_summaries(),
                  ExactMatch{},
                  Recipe{Dapo{}, AnswererOnly{}},
                  LocalCollective{},
                  {.group_size = 8, .seed = 3}};
  trainer.step(five_tasks(4));
  CHECK(weights(pair.summarizer) == before);
}
