/// Tiny random models of every architecture, against what transformers computed with them:
/// tests/golden/models/make_models.py.

#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "dualagent/io/safetensors_reader.hpp"
#include "dualagent/model/model_files.hpp"
#include "dualagent/model/transformer.hpp"
#include "dualagent/optim/adamw.hpp"
#include "support/catch.hpp"
#include "support/checkpoint_numbers.hpp"
#include "support/golden_training.hpp"

using namespace dualagent;
using namespace checkpoint_numbers;
using namespace golden_training;

namespace {

const std::vector<std::string> kModels{"llama", "llama3", "llama_linear", "smollm2",
                                       "qwen2", "qwen3",  "mistral"};

std::filesystem::path folder_of(const std::string& name) {
  return std::filesystem::path(DUALAGENT_TEST_DATA) / "models" / name;
}

SafeTensors expected_of(const std::string& name) {
  return SafeTensors::open(folder_of(name) / "expected.safetensors");
}

Transformer<float> model_of(const std::string& name) { return load_model(folder_of(name)); }

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
    check_gradients(model, expected_of(name));
  }
}

TEST_CASE("three steps of AdamW end where torch's end", "[model][golden]") {
  for (const std::string& name : kModels) {
    INFO(name);
    Transformer<float> model = model_of(name);
    check_adamw_steps(model, expected_of(name));
  }
}

TEST_CASE("what every architecture samples has the bits of a training pass", "[model][golden]") {
  for (const std::string& name : kModels) {
    INFO(name);
    Transformer<float> model = model_of(name);
    CHECK(largest_log_ratio(model, rows_of(expected_of(name)), 24) == 0.0);
  }
}
