#include "dualagent/model/backend.hpp"

#include <memory>
#include <vector>

#include "dualagent/model/scripted.hpp"
#include "dualagent/model/transformer.hpp"
#include "laws/backend_laws.hpp"
#include "support/bigram_model.hpp"
#include "support/catch.hpp"

using namespace dualagent;

namespace {

template <class Scalar>
Transformer<Scalar> make_transformer() {
  const TransformerConfig config{.vocab_size = 13,
                                 .hidden_size = 20,
                                 .num_hidden_layers = 2,
                                 .num_attention_heads = 4,
                                 .num_key_value_heads = 2,
                                 .head_dim = 6,
                                 .intermediate_size = 24,
                                 .max_position_embeddings = 80,
                                 .tie_word_embeddings = true};
  return Transformer<Scalar>(config, {.pool = std::make_shared<ThreadPool>(2), .seed = 5});
}

BigramModel make_bigram() {
  BigramModel model(7);
  const RandomStream random = RandomStream::from_seed(9);
  for (std::size_t i = 0; i < model.parameters().size(); ++i)
    model.parameters()[i] = random.normal(i);
  return model;
}

/// Says 64 tokens that depend on the whole context.
ScriptedModel make_scripted() {
  return ScriptedModel(10, [](std::span<const Token> context, AgentRole, const RandomStream&) {
    RandomStream random = RandomStream::from_seed(1);
    for (const Token token : context) random = random.child(static_cast<std::uint64_t>(token));
    std::vector<Token> script(64);
    for (std::size_t i = 0; i < script.size(); ++i)
      script[i] = static_cast<Token>(random.below(i, 10));
    return script;
  });
}

struct NotAModel {
  void submit(const GenerationRequest&) {}
};

}  // namespace

static_assert(ModelBackend<Transformer<float>> && TrainableBackend<Transformer<double>>);
static_assert(ModelBackend<ScriptedModel> && !TrainableBackend<ScriptedModel>);
static_assert(TrainableBackend<BigramModel>);
static_assert(!ModelBackend<NotAModel> && !TrainableBackend<NotAModel>);
static_assert(check_trainable_backend<Transformer<float>>());

TEST_CASE("the transformer obeys the laws of a backend", "[model][laws]") {
  laws::check_backend_laws(make_transformer<float>);
  laws::check_backend_laws(make_transformer<double>);
}

TEST_CASE("the transformer obeys the laws of a trainable backend", "[model][laws]") {
  laws::check_trainable_laws(make_transformer<float>, {.log_prob = 0.0, .gradient = 1e-2});
  // A double model's samples are stored as float.
  laws::check_trainable_laws(make_transformer<double>, {.log_prob = 1e-6, .gradient = 1e-2});
}

TEST_CASE("the bigram model obeys the laws of a trainable backend", "[model][laws]") {
  laws::check_backend_laws(make_bigram);
  laws::check_trainable_laws(make_bigram, {.log_prob = 1e-6, .gradient = 1e-3});
}

TEST_CASE("the scripted model obeys the laws of a backend", "[model][laws]") {
  laws::check_backend_laws(make_scripted);
}
