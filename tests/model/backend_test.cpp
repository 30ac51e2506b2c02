#include "dualagent/model/backend.hpp"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "dualagent/model/scripted.hpp"
#include "dualagent/model/transformer.hpp"
#include "laws/backend_laws.hpp"
#include "support/bigram_model.hpp"
#include "support/catch.hpp"
#include "support/remote_engine.hpp"

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

/// A learner that nothing can be sampled from.
struct OnlyLearns : private BigramModel {
  explicit OnlyLearns(BigramModel model) : BigramModel(std::move(model)) {}
  using BigramModel::backward;
  using BigramModel::gradients;
  using BigramModel::parameters;
  using BigramModel::score;
  using BigramModel::tensors;
  using BigramModel::vocab_size;
  using BigramModel::weight_version;
  using BigramModel::weights_changed;
  using BigramModel::zero_gradients;
};

struct NotAModel {
  void submit(const GenerationRequest&) {}
};

}  // namespace

static_assert(Sampler<Transformer<float>> && Learner<Transformer<double>>);
static_assert(Sampler<ScriptedModel> && !Learner<ScriptedModel>);
static_assert(Sampler<BigramModel> && Learner<BigramModel>);
static_assert(!Sampler<OnlyLearns> && Learner<OnlyLearns>);
static_assert(!Sampler<NotAModel> && !Learner<NotAModel>);
static_assert(!TakesWeightsOf<BigramModel, BigramModel>);
static_assert(check_sampler<Transformer<float>>() && check_learner<Transformer<float>>());
static_assert(check_takes_weights<RemoteEngine, OnlyLearns>());

TEST_CASE("a transformer says both log-probabilities where it leaves tokens out", "[model][laws]") {
  Transformer<float> model = make_transformer<float>();
  const auto all = [&](const SamplingOptions& sampling) {
    const laws::SomeRequests requests(model.vocab_size(), sampling);
    model.reset();
    return laws::generate(model, requests.all());
  };
  const laws::Generations greedy = all({.temperature = 0.0F});
  for (const auto& [sequence, one] : all({.top_k = 1})) {
    CHECK(std::ranges::equal(one.sampled.tokens(), greedy.at(sequence).sampled.tokens()));
    for (const float log_prob : one.sampled.drawn_log_probs()) CHECK(log_prob == 0.0F);
  }
  std::size_t above = 0;
  for (const auto& [sequence, one] : all({.top_p = 0.6F})) {
    CHECK(one.sampled.left_out());
    for (std::size_t i = 0; i < one.sampled.tokens().size(); ++i)
      above += one.sampled.drawn_log_probs()[i] > one.sampled.log_probs()[i] + 0.3F ? 1 : 0;
  }
  CHECK(above > 50);  // log(1 / 0.6) is 0.51; what is left is a little more than 0.6
  for (const auto& [sequence, one] : all({})) CHECK(!one.sampled.left_out());
}

TEST_CASE("the transformer obeys the laws of a sampler", "[model][laws]") {
  laws::check_sampler_laws(make_transformer<float>);
  laws::check_sampler_laws(make_transformer<double>);
}

TEST_CASE("the transformer obeys the laws of a learner", "[model][laws]") {
  laws::check_learner_laws(make_transformer<float>, {.log_prob = 0.0, .gradient = 1e-2});
  // A double model's samples are stored as float.
  laws::check_learner_laws(make_transformer<double>, {.log_prob = 1e-6, .gradient = 1e-2});
}

TEST_CASE("the bigram model obeys the laws of a learner", "[model][laws]") {
  laws::check_sampler_laws(make_bigram);
  laws::check_learner_laws(make_bigram, {.log_prob = 1e-6, .gradient = 1e-3});
}

TEST_CASE("the scripted model obeys the laws of a sampler", "[model][laws]") {
  laws::check_sampler_laws(make_scripted);
}

TEST_CASE("a learner that cannot sample obeys the laws of a learner", "[model][laws]") {
  laws::check_learner_laws([] { return OnlyLearns(make_bigram()); },
                           {.log_prob = 1e-6, .gradient = 1e-3});
}

TEST_CASE("an engine elsewhere obeys the laws of a sampler and takes over weights",
          "[model][laws]") {
  const auto make_engine = [] {
    RemoteEngine engine(7);
    BigramModel learner = make_bigram();
    engine.publish(learner, 2);
    return engine;
  };
  laws::check_sampler_laws(make_engine);
  laws::check_publish_laws(make_bigram, make_engine);
  laws::check_publish_laws([] { return OnlyLearns(make_bigram()); }, make_engine);
}
