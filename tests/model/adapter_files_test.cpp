/// Adapters as PEFT saves them, against what PEFT computed with them:
/// tests/golden/adapters/make_adapters.py.
#include "dualagent/model/adapter_files.hpp"

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "dualagent/optim/adamw.hpp"
#include "support/catch.hpp"
#include "support/checkpoint_numbers.hpp"
#include "support/error_of.hpp"
#include "support/golden_training.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;
using namespace checkpoint_numbers;
using namespace golden_training;

namespace {

struct Golden {
  std::string name, base;
};
const std::vector<Golden> kAdapters{{"all", "llama"}, {"some", "qwen2"}};

std::filesystem::path data(const std::string& path) {
  return std::filesystem::path(DUALAGENT_TEST_DATA) / path;
}
std::filesystem::path folder_of(const Golden& golden) { return data("adapters/" + golden.name); }
Transformer<float> base_of(const Golden& golden) {
  return load_model(data("models/" + golden.base));
}
SafeTensors expected_of(const Golden& golden) {
  return SafeTensors::open(folder_of(golden) / "expected.safetensors");
}

}  // namespace

TEST_CASE("an adapter of PEFT gives PEFT's logits", "[model][lora][golden]") {
  for (const Golden& golden : kAdapters) {
    INFO(golden.name);
    TransformerWeights<float> weights(load_config(data("models/" + golden.base)));
    load_weights(data("models/" + golden.base), weights);
    weights.refresh();
    const detail::RotaryTable<float> rotary(weights.config());
    detail::Adapter<float> adapter(
        weights, read_adapter_config(folder_of(golden) / "adapter_config.json").change);
    read_weights(folder_of(golden) / "adapter_model.safetensors", adapter);
    adapter.refresh();
    const SafeTensors expected = expected_of(golden);
    const auto logits = expected.values<float>("logits");
    std::size_t at = 0;
    for (const std::vector<Token>& row : rows_of(expected))
      for (const std::vector<float>& got : logits_of(weights, rotary, row, 0, &adapter))
        for (const float logit : got) CHECK(std::abs(logit - logits[at++]) <= 1e-5F);
    CHECK(at == logits.size());
  }
}

TEST_CASE("loss and gradients of every A and B are those of autograd", "[model][lora][golden]") {
  for (const Golden& golden : kAdapters) {
    INFO(golden.name);
    Transformer<float> base = base_of(golden);
    AdaptedTransformer<float> model = load_adapter(folder_of(golden), base);
    check_gradients(model, expected_of(golden));
  }
}

TEST_CASE("three steps of AdamW on an adapter end where torch's end", "[model][lora][golden]") {
  for (const Golden& golden : kAdapters) {
    INFO(golden.name);
    Transformer<float> base = base_of(golden);
    AdaptedTransformer<float> model = load_adapter(folder_of(golden), base);
    check_adamw_steps(model, expected_of(golden));
  }
}

TEST_CASE("an adapter of PEFT samples with the bits of a training pass", "[model][lora][golden]") {
  for (const Golden& golden : kAdapters) {
    Transformer<float> base = base_of(golden);
    AdaptedTransformer<float> model = load_adapter(folder_of(golden), base);
    CHECK(largest_log_ratio(model, rows_of(expected_of(golden)), 24) == 0.0);
  }
}

// DUALAGENT_ADAPTERS_OUT names a folder where the adapters stay, for `make_adapters.py check`.
TEST_CASE("an adapter is saved as PEFT loads it", "[model][lora]") {
  const TemporaryFolder temporary;
  const char* const kept = std::getenv("DUALAGENT_ADAPTERS_OUT");
  const std::filesystem::path out =
      kept == nullptr ? temporary.path() : std::filesystem::path(kept);
  for (const Golden& golden : kAdapters) {
    Transformer<float> base = base_of(golden);
    AdaptedTransformer<float> model = load_adapter(folder_of(golden), base);
    for (int time = 0; time < 2; ++time)  // it replaces itself
      save_adapter(out / golden.name, model, {.base_model = "../models/" + golden.base});
    AdaptedTransformer<float> again = load_adapter(out / golden.name, base);
    CHECK(std::ranges::equal(again.parameters(), model.parameters()));
    CHECK(again.adapter().scale() == model.adapter().scale());
    const SafeTensors ours = SafeTensors::open(out / golden.name / "adapter_model.safetensors");
    const SafeTensors theirs = SafeTensors::open(folder_of(golden) / "adapter_model.safetensors");
    CHECK(ours.tensors().size() == theirs.tensors().size());
    for (const TensorView& tensor : theirs.tensors()) {
      CHECK(ours.at(tensor.name).shape == tensor.shape);
      CHECK(ours.values<float>(tensor.name) == theirs.values<float>(tensor.name));
    }
  }
}

TEST_CASE("a merged adapter is saved as a model", "[model][lora]") {
  const TemporaryFolder folder;
  Transformer<float> base = base_of(kAdapters[1]);
  AdaptedTransformer<float> model = load_adapter(folder_of(kAdapters[1]), base);
  Transformer<float> merged = model.merged();
  save_model(folder / "merged", merged, {.from = data("models/qwen2")});
  Transformer<float> loaded = load_model(folder / "merged");
  CHECK(std::ranges::equal(loaded.parameters(), merged.parameters()));
}

TEST_CASE("an adapter that does not fit is refused", "[model][lora]") {
  const TemporaryFolder folder;
  Transformer<float> llama = base_of(kAdapters[0]);
  Transformer<float> other = load_model(data("models/smollm2"));
  CHECK_THAT(error_of([&] { load_adapter(folder_of(kAdapters[0]), other); }),
             ContainsSubstring("has shape") && ContainsSubstring("lora_A"));
  CHECK_THAT(error_of([&] { load_adapter(data("models/llama"), llama); }),
             ContainsSubstring("has no adapter_config.json") && ContainsSubstring("save_adapter"));
  AdaptedTransformer<float> model = load_adapter(folder_of(kAdapters[0]), llama);
  write_file_atomically(folder / "notes.txt", "mine");
  CHECK_THAT(error_of([&] { save_adapter(folder.path(), model); }),
             ContainsSubstring("notes.txt") && ContainsSubstring("not part of an adapter"));
}
