/// Tiny random models of every architecture, against what transformers computed with them:
/// tests/golden/models/make_models.py.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "dualagent/io/safetensors_reader.hpp"
#include "dualagent/model/model_files.hpp"
#include "dualagent/model/transformer.hpp"
#include "dualagent/optim/adamw.hpp"
#include "support/catch.hpp"
#include "support/checkpoint_numbers.hpp"

using namespace dualagent;
using namespace checkpoint_numbers;

namespace {

const std::vector<std::string> kModels{"llama", "llama3", "llama_linear", "smollm2",
                                       "qwen2", "qwen3",  "mistral"};

std::filesystem::path folder_of(const std::string& name) {
  return std::filesystem::path(DUALAGENT_TEST_DATA) / "models" / name;
}

SafeTensors expected_of(const std::string& name) {
  return SafeTensors::open(folder_of(name) / "expected.safetensors");
}

std::vector<std::vector<Token>> rows_of(const SafeTensors& expected) {
  const std::vector<std::size_t>& shape = expected.at("tokens").shape;
  const auto tokens = expected.values<std::int64_t>("tokens");
  std::vector<std::vector<Token>> rows(shape[0]);
  for (std::size_t i = 0; i < tokens.size(); ++i)
    rows[i / shape[1]].push_back(static_cast<Token>(tokens[i]));
  return rows;
}

Transformer<float> model_of(const std::string& name) { return load_model(folder_of(name)); }

/// Largest |got - expected|, and the largest |expected|.
struct Difference {
  double difference = 0, size = 0;
};
Difference compare(std::span<const float> got, std::span<const float> expected) {
  REQUIRE(got.size() == expected.size());
  Difference result;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double e = expected[i];
    const double difference = std::abs(static_cast<double>(got[i]) - e);
    result.difference = std::isnan(difference) ? INFINITY : std::max(result.difference, difference);
    result.size = std::max(result.size, std::abs(e));
  }
  return result;
}

/// Of the tensors of `expected` under PREFIX.NAME, each against the part of `values` of that name:
/// the largest difference, as a share of the tensor's largest element if `relative`.
double largest_difference(const Transformer<float>& model, std::span<const float> values,
                          const SafeTensors& expected, const std::string& prefix, bool relative) {
  double largest = 0;
  for (const TensorInfo& tensor : model.tensors()) {
    const auto [difference, size] = compare(values.subspan(tensor.offset, tensor.size),
                                            expected.values<float>(prefix + tensor.name));
    INFO(tensor.name << ": " << difference << " of " << size);
    CHECK(size > 0);
    largest = std::max(largest, relative ? difference / size : difference);
  }
  return largest;
}

}  // namespace

TEST_CASE("logits of every architecture are those of transformers", "[model][golden]") {
  for (const std::string& name : kModels) {
    INFO(name);
    TransformerWeights<float> weights(load_config(folder_of(name)));
    load_weights(folder_of(name), weights);
    weights.refresh();
    const detail::RotaryTable<float> rotary(weights.config());
    const SafeTensors expected = expected_of(name);
    const auto logits = expected.values<float>("logits");
    const std::size_t vocab = weights.config().vocab_size;
    std::size_t at = 0;
    for (const std::vector<Token>& row : rows_of(expected))
      for (const std::vector<float>& got : logits_of(weights, rotary, row)) {
        CHECK(compare(got, std::span(logits).subspan(at, vocab)).difference <= 1e-5);
        at += vocab;
      }
    CHECK(at == logits.size());
  }
}

TEST_CASE("loss and gradients of every parameter are those of autograd", "[model][golden]") {
  for (const std::string& name : kModels) {
    INFO(name);
    Transformer<float> model = model_of(name);
    const SafeTensors expected = expected_of(name);
    const PackedBatch batch = token_mean_batch(rows_of(expected));
    const double loss = cross_entropy_with_gradients(model, batch);
    CHECK(loss == Approx(expected.values<double>("loss.0")[0]).margin(1e-5));
    CHECK(largest_difference(model, model.gradients(), expected, "gradient.", true) <= 1e-4);
  }
}

TEST_CASE("three steps of AdamW end where torch's end", "[model][golden]") {
  const AdamW adamw{
      .learning_rate = 1e-3, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .weight_decay = 0.01};
  for (const std::string& name : kModels) {
    INFO(name);
    Transformer<float> model = model_of(name);
    const SafeTensors expected = expected_of(name);
    const PackedBatch batch = token_mean_batch(rows_of(expected));
    AdamWState<float> state(model.parameters().size());
    for (int step = 0; step < 3; ++step) {
      model.zero_gradients();
      const double loss = cross_entropy_with_gradients(model, batch);
      const auto torch = expected.values<double>("loss." + std::to_string(step))[0];
      CHECK(loss == Approx(torch).margin(1e-5));
      adamw.step(model.parameters(), model.gradients(), state);
      model.weights_changed();
    }
    CHECK(largest_difference(model, model.parameters(), expected, "after.", false) <= 1e-5);
  }
}

TEST_CASE("what every architecture samples has the bits of a training pass", "[model][golden]") {
  for (const std::string& name : kModels) {
    INFO(name);
    Transformer<float> model = model_of(name);
    CHECK(largest_log_ratio(model, rows_of(expected_of(name)), 24) == 0.0);
  }
}
