// Products in bfloat16: Precision::bfloat16 of a Transformer.
#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include "dualagent/model/adapted_transformer.hpp"
#include "dualagent/model/model_files.hpp"
#include "dualagent/model/save_model.hpp"
#include "dualagent/model/transformer.hpp"
#include "support/catch.hpp"
#include "support/ragged_rows.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;

namespace {

TransformerOptions rounding(std::size_t threads = 1, std::size_t parts = 2) {
  TransformerOptions options = with_threads(threads, parts);
  options.precision = Precision::bfloat16;
  return options;
}

Transformer<float> rounding_model(bool tied, std::size_t threads = 1, std::size_t parts = 2) {
  return odd_model<float>(ragged_shape(tied), rounding(threads, parts));
}

/// |got - expected| over |expected|, lengths of vectors.
template <class A, class B>
double relative_distance(const A& got, const B& expected) {
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double e = static_cast<double>(expected[i]);
    difference += std::pow(static_cast<double>(got[i]) - e, 2);
    size += e * e;
  }
  return std::sqrt(difference / size);
}

/// Log-probabilities of all tokens but the first.
template <class Model>
std::vector<double> log_probs_of(Model& model, const std::vector<Token>& row) {
  PackedBatch batch;
  batch.append_row(row);
  for (std::size_t t = 1; t < row.size(); ++t) batch.loss_weight[t] = 1.0F;
  TokenOutputs outputs;
  outputs.resize(batch.size());
  model.score(batch, outputs);
  return {outputs.log_prob.begin() + 1, outputs.log_prob.end()};
}

struct Sampled3 {
  std::vector<std::vector<Token>> rows;
  std::vector<std::vector<float>> log_probs;
};

/// Three generations of 20 tokens in one decode batch.
template <class Model>
Sampled3 sample_three(Model& model) {
  const std::vector<std::vector<Token>> prompts{{1, 2, 3, 4, 5, 6, 7}, {9}, {1, 2, 3, 4, 5, 28}};
  const StopRule stop{.stop_tokens = {}, .max_new_tokens = 20, .stop_early = {}};
  for (std::size_t s = 0; s < prompts.size(); ++s)
    model.submit({.sequence = s,
                  .context = prompts[s],
                  .agent = AgentRole::answerer,
                  .sampling = {.temperature = 1.0F},
                  .stop = &stop,
                  .random = RandomStream::from_seed(5).child(s)});
  Sampled3 all{prompts, std::vector<std::vector<float>>(prompts.size())};
  while (model.advance([&](Generation&& done) {
    const auto tokens = done.sampled.tokens();
    const auto log_probs = done.sampled.log_probs();
    all.rows[done.sequence].insert(all.rows[done.sequence].end(), tokens.begin(), tokens.end());
    all.log_probs[done.sequence].assign(log_probs.begin(), log_probs.end());
  }) > 0) {
  }
  model.reset();
  return all;
}

/// Sampled tokens whose log-probability differs in a bit from that of a training row.
template <class Sampling, class Scoring>
std::size_t different_bits(Sampling& sampler, Scoring& trainer) {
  const Sampled3 sampled = sample_three(sampler);
  std::size_t different = 0;
  for (std::size_t s = 0; s < sampled.rows.size(); ++s) {
    const std::vector<double> scored = log_probs_of(trainer, sampled.rows[s]);
    const std::size_t first = scored.size() - 20;
    REQUIRE(sampled.log_probs[s].size() == 20);
    for (std::size_t i = 0; i < 20; ++i)
      different += static_cast<float>(scored[first + i]) != sampled.log_probs[s][i];
  }
  return different;
}

}  // namespace

TEST_CASE("with bfloat16 a sampled token has the bits of a training row", "[model][bfloat16]") {
  for (const bool tied : {false, true})
    for (const std::size_t threads : {1U, 2U}) {
      Transformer<float> model = rounding_model(tied, threads);
      INFO((tied ? "tied, " : "untied, ") << threads << " threads");
      CHECK(different_bits(model, model) == 0);
      Transformer<float> learner = model.copy();  // another object with the same float32 weights
      CHECK(learner.precision() == Precision::bfloat16);
      CHECK(different_bits(model, learner) == 0);
    }
}

TEST_CASE("an adapter over a base in bfloat16 samples with the bits of a training row",
          "[model][bfloat16]") {
  Transformer<float> base = rounding_model(true);
  AdaptedTransformer<float> model(base, {.rank = 2, .alpha = 4, .seed = 1});
  for (float& value : model.parameters()) value += 0.01F;
  model.weights_changed();
  CHECK(different_bits(model, model) == 0);
  CHECK(model.merged().precision() == Precision::bfloat16);
}

TEST_CASE("products in bfloat16 are close to the same ones in float", "[model][bfloat16]") {
  const PackedBatch batch = ragged_batch({33, 64, 5, 20}, 1.0F);
  for (const bool tied : {false, true}) {
    Transformer<float> rounded = rounding_model(tied);
    Transformer<float> model = odd_model<float>(ragged_shape(tied), with_threads(1, 2));
    const std::vector<Token> row(batch.tokens.begin() + 33, batch.tokens.begin() + 97);
    const double distance = relative_distance(log_probs_of(rounded, row), log_probs_of(model, row));
    const double of_gradients =
        relative_distance(gradients_of(rounded, batch), gradients_of(model, batch));
    INFO("log-probabilities " << distance << ", gradients " << of_gradients);
    // A factor is rounded by up to 2^-9 = 0.002 of itself, in about ten products one after another.
    CHECK(distance < 0.01);
    CHECK(distance > 1e-5);
    CHECK(of_gradients < 0.05);  // of a loss whose terms cancel one another
    CHECK(of_gradients > 1e-4);
  }
}

TEST_CASE("gradients in bfloat16 have the same bits on any number of threads",
          "[model][bfloat16]") {
  const PackedBatch batch = ragged_batch({40, 3, 64, 1, 13, 64, 7, 22, 64, 64, 50}, 1.0F);
  Transformer<float> alone = rounding_model(true, 1, 3);
  const std::vector<float> expected = gradients_of(alone, batch);
  Transformer<float> model = rounding_model(true, 3, 3);
  CHECK(gradients_of(model, batch) == expected);
  CHECK(gradients_of(model, batch) == expected);
}

TEST_CASE("small updates of float32 weights add up though products round them",
          "[model][bfloat16]") {
  Transformer<float> model = rounding_model(true);
  const std::vector<Token> row{1, 2, 3, 4};
  const std::vector<double> before = log_probs_of(model, row);
  float& weight = model.parameters()[model.tensors()[2].offset];
  weight = 1.0F;
  model.weights_changed();
  const std::vector<double> at_one = log_probs_of(model, row);
  CHECK(at_one != before);
  for (int i = 0; i < 3; ++i) {
    weight += 0x1p-9F;
    model.weights_changed();
    CHECK((log_probs_of(model, row) == at_one) == (i < 2));  // 1 + 2^-8 is the tie, to the even 1
  }
}

TEST_CASE("a model that was stored as BF16 computes what the stored one did", "[model][bfloat16]") {
  const TemporaryFolder folder;
  TransformerConfig shape = ragged_shape(true);
  Transformer<float> model(shape, rounding());
  // Embeddings are not only a factor of products but also added up, as norms are; norms are 1.
  const TensorInfo& embedding = model.tensors()[0];
  for (std::size_t i = 0; i < embedding.size; ++i)
    model.parameters()[embedding.offset + i] =
        kernels::rounded_to_bfloat16(model.parameters()[embedding.offset + i]);
  model.weights_changed();
  save_model(folder / "model", model, {.stored_as = DType::bf16});
  Transformer<float> loaded = load_model(folder / "model", rounding());
  CHECK(loaded.precision() == Precision::bfloat16);
  const std::vector<Token> row{1, 2, 3, 4, 5, 28, 7};
  CHECK(log_probs_of(loaded, row) == log_probs_of(model, row));
  save_model(folder / "again", loaded, {.stored_as = DType::bf16});
  CHECK(read_file(folder / "again/model.safetensors") ==
        read_file(folder / "model/model.safetensors"));
}

TEST_CASE("bfloat16 belongs to a model in float", "[model][bfloat16]") {
  CHECK_THROWS_WITH(Transformer<double>(ragged_shape(true), rounding()),
                    ContainsSubstring("bfloat16 belong to a model in float"));
}
