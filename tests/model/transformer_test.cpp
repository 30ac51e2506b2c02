#include "dualagent/model/transformer.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "dualagent/core/random.hpp"
#include "support/catch.hpp"
#include "support/ragged_rows.hpp"
#include "support/reference_transformer.hpp"
#include "support/sanitizers.hpp"

using namespace dualagent;

namespace {

/// The tied shape with biases as in Qwen2, the untied one with normed heads as in Qwen3.
TransformerConfig odd_qwen(bool tied) {
  TransformerConfig config = ragged_shape(tied);
  config.qkv_bias = tied;
  config.qk_norm = !tied;
  return config;
}

double total_loss(Transformer<double>& model, const PackedBatch& batch) {
  TokenOutputs outputs;
  outputs.resize(batch.size());
  model.score(batch, outputs);
  double sum = 0;
  for (std::size_t t = 0; t < batch.size(); ++t)
    if (batch.loss_weight[t] != 0.0F)
      sum += static_cast<double>(batch.loss_weight[t]) *
             curved_loss({}, t, {outputs.log_prob[t], outputs.entropy[t], outputs.value[t]}).value;
  return sum;
}

/// Largest |got - expected| over largest |expected|.
template <class A, class B>
double relative_error(const A& got, const B& expected) {
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    difference = std::max(difference,
                          std::abs(static_cast<double>(got[i]) - static_cast<double>(expected[i])));
    size = std::max(size, std::abs(static_cast<double>(expected[i])));
  }
  return size > 0 ? difference / size : difference;
}

/// Up to 64 elements of a tensor, drawn at random: all of them would take minutes under sanitizers.
std::vector<std::size_t> some_elements(const TensorInfo& tensor) {
  std::vector<std::size_t> elements(std::min(tensor.size, random_cases(64)));
  const RandomStream stream = RandomStream::from_seed(tensor.offset);
  for (std::size_t i = 0; i < elements.size(); ++i)
    elements[i] =
        tensor.offset + (tensor.size == elements.size() ? i : stream.below(i, tensor.size));
  return elements;
}

std::vector<double> central_differences(Transformer<double>& model, const PackedBatch& batch,
                                        const std::vector<std::size_t>& elements) {
  std::vector<double> slopes;
  constexpr double kStep = 1e-5;
  for (const std::size_t element : elements) {
    double& parameter = model.parameters()[element];
    const double at = parameter;
    parameter = at + kStep;
    model.weights_changed();
    const double above = total_loss(model, batch);
    parameter = at - kStep;
    model.weights_changed();
    slopes.push_back((above - total_loss(model, batch)) / (2 * kStep));
    parameter = at;
  }
  model.weights_changed();
  return slopes;
}

void check_gradients(const TransformerConfig& config, float temperature) {
  const PackedBatch batch = ragged_batch({5, 1, 17, 9, 2, 13}, temperature);
  Transformer<double> oracle = odd_model<double>(config, with_threads(1, 1));
  std::vector<std::vector<double>> gradients;  // [parts - 1]
  for (const std::size_t parts : {1U, 2U, 3U}) {
    Transformer<double> model = odd_model<double>(config, with_threads(1, parts));
    gradients.push_back(gradients_of(model, batch));
  }
  for (const TensorInfo& tensor : oracle.tensors()) {
    INFO(tensor.name << ", temperature " << temperature);
    const std::vector<std::size_t> elements = some_elements(tensor);
    const std::vector<double> expected = central_differences(oracle, batch, elements);
    CHECK(relative_error(std::vector<double>(elements.size()), expected) == 1.0);  // not all 0
    for (std::size_t parts = 1; parts <= gradients.size(); ++parts) {
      INFO(parts << " parts");
      std::vector<double> got;
      for (const std::size_t element : elements) got.push_back(gradients[parts - 1][element]);
      CHECK(relative_error(got, expected) < 1e-6);
    }
  }
}

/// Largest difference from the reference over all tokens of all rows but the first ones.
template <class Scalar>
double error_against_reference(const TransformerConfig& config, float temperature) {
  Transformer<Scalar> model = odd_model<Scalar>(config, with_threads(1, 2));
  PackedBatch batch = ragged_batch({40, 3, 64, 1, 13, 64, 64, 12, 64}, temperature);
  for (std::size_t t = 0; t < batch.size(); ++t) batch.loss_weight[t] = 1.0F;
  for (std::size_t r = 0; r < batch.rows(); ++r) batch.loss_weight[batch.row_begin[r]] = 0.0F;
  TokenOutputs outputs;
  outputs.resize(batch.size());
  model.score(batch, outputs);
  const ReferenceTransformer<Transformer<Scalar>> reference(config, model);
  double worst = 0;
  for (std::size_t r = 0; r < batch.rows(); ++r) {
    const auto tokens = std::span(batch.tokens).subspan(batch.row_begin[r], batch.row_size(r));
    const Eigen::MatrixXd log_probs = reference.log_probs(tokens, static_cast<double>(temperature));
    Eigen::VectorXd values = Eigen::VectorXd::Zero(log_probs.rows());
    if (config.value_head) values = reference.values(tokens);
    for (std::size_t i = 1; i < batch.row_size(r); ++i) {
      const std::size_t t = batch.row_begin[r] + i;
      const auto before = static_cast<Eigen::Index>(i - 1);
      const Eigen::ArrayXd log_p = log_probs.row(before).transpose();
      worst = std::max({worst, std::abs(outputs.log_prob[t] - log_p[batch.tokens[t]]),
                        std::abs(outputs.entropy[t] + (log_p.exp() * log_p).sum()),
                        std::abs(outputs.value[t] - values[before])});
    }
  }
  return worst;
}

}  // namespace

TEST_CASE("the forward pass equals the slow obvious one", "[model][transformer][one_thread]") {
  for (const bool tied : {false, true})
    for (const float temperature : {1.0F, 0.7F}) {
      INFO((tied ? "tied" : "untied") << ", temperature " << temperature);
      for (const TransformerConfig& config : {ragged_shape(tied), odd_qwen(tied)}) {
        CHECK(error_against_reference<double>(config, temperature) < 1e-12);
        CHECK(error_against_reference<float>(config, temperature) < 1e-5);
      }
    }
}

TEST_CASE("gradients equal central differences for every tensor", "[model][transformer]") {
  check_gradients(ragged_shape(false), 1.0F);
  check_gradients(ragged_shape(true), 0.7F);
}

TEST_CASE("so do those of biases and of norms of queries and keys",
          "[model][transformer][one_thread]") {
  TransformerConfig config = ragged_shape(true);
  config.qkv_bias = config.qk_norm = true;
  check_gradients(config, 0.7F);
}

TEST_CASE("a model gets a critic that says 0 and changes nothing else", "[model][transformer]") {
  const Transformer<float> plain(ragged_shape(true), with_threads(1, 2));
  Transformer<float> model = plain.with_value_head();
  CHECK_FALSE(plain.has_value_head());
  CHECK(model.has_value_head());
  CHECK(model.parameters().size() == plain.parameters().size() + 18);
  const PackedBatch batch = ragged_batch({9, 30}, 1.0F);
  Transformer<float> twin = plain.copy();
  TokenOutputs with, without;
  with.resize(batch.size());
  without.resize(batch.size());
  model.score(batch, with);
  twin.score(batch, without);
  CHECK(with.log_prob == without.log_prob);
  for (const double value : with.value) CHECK(value == 0.0);
  CHECK(model.with_value_head().parameters().size() == model.parameters().size());
}

TEST_CASE("a batch of many chunks has the sum of its rows' gradients", "[model][transformer]") {
  std::vector<std::size_t> lengths;
  for (std::size_t r = 0; r < 27; ++r) lengths.push_back(1 + (r * 29) % 64);
  const PackedBatch batch = ragged_batch(lengths, 1.3F);
  REQUIRE(batch.size() > 3 * 256);  // a part holds several chunks
  Transformer<double> model = odd_model<double>(ragged_shape(false), with_threads(1, 1));
  std::vector<double> expected(model.parameters().size(), 0.0);
  for (std::size_t r = 0; r < batch.rows(); ++r) {
    PackedBatch row;
    row.temperature = batch.temperature;
    row.append_row(std::span(batch.tokens).subspan(batch.row_begin[r], batch.row_size(r)));
    for (std::size_t i = 0; i < row.size(); ++i)
      row.loss_weight[i] = batch.loss_weight[batch.row_begin[r] + i];
    TokenOutputs outputs;
    outputs.resize(row.size());
    model.zero_gradients();
    model.backward(
        row,
        [&](const loops::TokenColumns&, std::size_t t, const TokenPrediction& now) {
          return curved_loss({}, batch.row_begin[r] + t, now);
        },
        outputs);
    for (std::size_t i = 0; i < expected.size(); ++i) expected[i] += model.gradients()[i];
  }
  for (const std::size_t parts : {1U, 2U, 3U, 40U}) {  // 40: most parts have no row
    Transformer<double> in_parts = odd_model<double>(ragged_shape(false), with_threads(1, parts));
    INFO(parts << " parts");
    CHECK(relative_error(gradients_of(in_parts, batch), expected) < 1e-12);
  }
}

TEST_CASE("float gradients are close to double gradients", "[model][transformer]") {
  const PackedBatch batch = ragged_batch({33, 64, 5, 20}, 1.0F);
  Transformer<double> precise(ragged_shape(true), with_threads(1, 2));
  Transformer<float> model(ragged_shape(true), with_threads(1, 2));
  for (std::size_t i = 0; i < model.parameters().size(); ++i)
    precise.parameters()[i] = static_cast<double>(model.parameters()[i]);
  precise.weights_changed();
  CHECK(relative_error(gradients_of(model, batch), gradients_of(precise, batch)) < 1e-5);
}

TEST_CASE("gradients have the same bits on any number of threads", "[model][transformer]") {
  const PackedBatch batch = ragged_batch({40, 3, 64, 1, 13, 64, 7, 22, 64, 64, 50}, 1.0F);
  for (const std::size_t parts : {1U, 2U, 3U}) {
    Transformer<float> alone(ragged_shape(true), with_threads(1, parts));
    const std::vector<float> expected = gradients_of(alone, batch);
    for (const std::size_t threads : {2U, 3U}) {
      Transformer<float> model(ragged_shape(true), with_threads(threads, parts));
      INFO(threads << " threads, " << parts << " parts");
      CHECK(gradients_of(model, batch) == expected);
      CHECK(gradients_of(model, batch) == expected);  // buffers that were used before
    }
  }
}

TEST_CASE("log-probabilities have the same bits in any batch", "[model][transformer]") {
  PackedBatch batch = ragged_batch({40, 3, 64, 2, 13, 64, 7, 22, 64, 64, 50}, 0.9F);
  const auto outputs_of = [](const PackedBatch& some, std::size_t parts) {
    Transformer<float> model(ragged_shape(false), with_threads(1, parts));
    TokenOutputs outputs;
    outputs.resize(some.size());
    model.score(some, outputs);
    return outputs;
  };
  const TokenOutputs whole = outputs_of(batch, 2);
  std::size_t trained = 0, different = 0;
  for (std::size_t r = 0; r < batch.rows(); ++r) {
    PackedBatch row;
    row.temperature = batch.temperature;
    row.append_row(std::span(batch.tokens).subspan(batch.row_begin[r], batch.row_size(r)));
    for (std::size_t i = 0; i < row.size(); ++i)
      row.loss_weight[i] = batch.loss_weight[batch.row_begin[r] + i];
    const TokenOutputs alone = outputs_of(row, 3);
    for (std::size_t i = 0; i < row.size(); ++i) {
      trained += row.loss_weight[i] != 0.0F;
      different += alone.log_prob[i] != whole.log_prob[batch.row_begin[r] + i];
      different += alone.entropy[i] != whole.entropy[batch.row_begin[r] + i];
    }
  }
  CHECK(trained > 100);
  CHECK(different == 0);
}

TEST_CASE("score and backward report the same numbers, the loss and nothing at masked tokens",
          "[model][transformer]") {
  const PackedBatch batch = ragged_batch({12, 30, 4}, 1.0F);
  Transformer<float> model(ragged_shape(true), with_threads(2, 2));
  TokenOutputs scored, trained;
  scored.resize(batch.size());
  trained.resize(batch.size());
  model.score(batch, scored);
  model.backward(batch, curved_loss, trained);
  CHECK(scored.log_prob == trained.log_prob);
  CHECK(scored.entropy == trained.entropy);
  for (std::size_t t = 0; t < batch.size(); ++t) {
    if (batch.loss_weight[t] == 0.0F) {
      CHECK(trained.log_prob[t] == 0.0);
      CHECK(trained.entropy[t] == 0.0);
      CHECK(trained.loss[t] == 0.0);
      CHECK(trained.d_log_prob[t] == 0.0);
    } else {
      CHECK(trained.log_prob[t] < 0.0);
      CHECK(
          trained.loss[t] ==
          Approx(
              curved_loss({}, t, {trained.log_prob[t], trained.entropy[t], trained.value[t]}).value)
              .epsilon(1e-14));
    }
    CHECK(scored.loss[t] == 0.0);
    CHECK(scored.d_log_prob[t] == 0.0);
  }
}

TEST_CASE("a batch without trained tokens has no gradient", "[model][transformer]") {
  Transformer<float> model(ragged_shape(true), with_threads(2, 2));
  PackedBatch batch;
  CHECK(gradients_of(model, batch) == std::vector<float>(model.parameters().size(), 0.0F));
  batch.append_row(std::vector<Token>{1, 2, 3});
  batch.append_row(std::vector<Token>{4});
  CHECK(gradients_of(model, batch) == std::vector<float>(model.parameters().size(), 0.0F));
}

TEST_CASE("gradients are added until they are zeroed", "[model][transformer]") {
  const PackedBatch batch = ragged_batch({12, 30, 4}, 1.0F);
  Transformer<double> model(ragged_shape(true), with_threads(1, 1));
  const std::vector<double> once = gradients_of(model, batch);
  TokenOutputs outputs;
  outputs.resize(batch.size());
  model.backward(batch, curved_loss, outputs);
  for (std::size_t i = 0; i < once.size(); ++i) CHECK(model.gradients()[i] == 2 * once[i]);
  model.zero_gradients();
  CHECK(std::all_of(model.gradients().begin(), model.gradients().end(),
                    [](double g) { return g == 0.0; }));
}

TEST_CASE("new weights count after weights_changed", "[model][transformer]") {
  const PackedBatch batch = ragged_batch({12, 30, 4}, 1.0F);
  Transformer<double> model(ragged_shape(false), with_threads(1, 2, 3));
  Transformer<double> other(ragged_shape(false), with_threads(1, 2, 4));
  const double before = total_loss(model, batch);
  CHECK(before != total_loss(other, batch));
  CHECK(model.weight_version() == 0);
  std::copy(other.parameters().begin(), other.parameters().end(), model.parameters().begin());
  model.weights_changed();
  CHECK(model.weight_version() == 1);
  model.weights_changed(7);  // as they were in a checkpoint
  CHECK(model.weight_version() == 7);
  CHECK(total_loss(model, batch) == total_loss(other, batch));
}

TEST_CASE("a model can be moved", "[model][transformer]") {
  const PackedBatch batch = ragged_batch({12, 30}, 1.0F);
  Transformer<double> model(ragged_shape(false), with_threads(1, 2));
  const std::vector<double> expected = gradients_of(model, batch);
  Transformer<double> moved = std::move(model);
  CHECK(gradients_of(moved, batch) == expected);
}
