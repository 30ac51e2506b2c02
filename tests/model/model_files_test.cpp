#include "dualagent/model/model_files.hpp"

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/memory_of_loading.hpp"
#include "support/odd_shape.hpp"
#include "support/sanitizers.hpp"
#include "support/temporary_folder.hpp"
#include "support/tiny_model.hpp"

using namespace dualagent;

namespace {

template <class Model>
std::string error_of_loading(const std::filesystem::path& folder, Model& model) {
  return error_of([&] { load_weights(folder, model); });
}

}  // namespace

TEST_CASE("missing, unexpected and misshapen tensors are listed and nothing is loaded",
          "[model][model_files]") {
  const TemporaryFolder folder;
  const std::vector<float> values(8, 1.0F);
  const std::span<const float> eight(values);
  write_safetensors(folder / "model.safetensors",
                    {{"model.embed_tokens.weight", {4, 2}, eight, {}}, {"other", {8}, eight, {}}});
  TinyModel<float> model;
  const std::string error = error_of_loading(folder.path(), model);
  INFO(error);
  CHECK_THAT(error, ContainsSubstring("missing model.norm.weight [2]"));
  CHECK_THAT(error,
             ContainsSubstring("model.embed_tokens.weight has shape [4, 2], expected [3, 2]"));
  CHECK_THAT(error, ContainsSubstring("unexpected other [8]"));
  CHECK_THAT(error, ContainsSubstring("model.safetensors"));
  CHECK(model.values == std::vector<float>(8, 0.0F));
  CHECK(model.versions == 0);
}

TEST_CASE("a long list of problems is cut", "[model][model_files]") {
  const TemporaryFolder folder;
  const std::vector<float> values(1, 1.0F);
  std::vector<TensorSource> tensors;
  for (int i = 0; i < 30; ++i)
    tensors.push_back({"t" + std::to_string(i), {1}, std::span<const float>(values), {}});
  write_safetensors(folder / "model.safetensors", tensors);
  TinyModel<float> model;
  CHECK_THAT(error_of_loading(folder.path(), model), ContainsSubstring("and 12 more"));
}

TEST_CASE("redundant tensors of Hugging Face files are passed over", "[model][model_files]") {
  const TemporaryFolder folder;
  const std::vector<float> embeddings{1, 2, 3, 4, 5, 6};
  std::vector<float> head = embeddings;
  const std::vector<float> two{7, 8};
  const auto write = [&] {
    write_safetensors(
        folder / "model.safetensors",
        {{"model.embed_tokens.weight", {3, 2}, std::span<const float>(embeddings), {}},
         {"model.norm.weight", {2}, std::span<const float>(two), {}},
         {"lm_head.weight", {3, 2}, std::span<const float>(head), {}},
         {"model.layers.0.self_attn.rotary_emb.inv_freq", {2}, std::span<const float>(two), {}}});
  };
  write();
  TinyModel<float> model;
  load_weights(folder.path(), model);
  CHECK(model.values == std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8});

  head[5] = 0;  // an untied head is not redundant
  write();
  CHECK_THAT(error_of_loading(folder.path(), model),
             ContainsSubstring("unexpected lm_head.weight [3, 2], which is not equal to the "
                               "embeddings that it is tied to"));
}

TEST_CASE("missing files are explained, and two sets of weights refused", "[model][model_files]") {
  const TemporaryFolder folder;
  TinyModel<float> model;
  CHECK_THAT(error_of_loading(folder.path(), model),
             ContainsSubstring("the folder has no model.safetensors") &&
                 ContainsSubstring("Give the folder of a model") && !ContainsSubstring("spelling"));
  CHECK_THAT(error_of_loading(folder / "gone", model),
             ContainsSubstring("there is no such folder"));
  CHECK_THROWS_WITH(load_config(folder.path()), ContainsSubstring("the folder has no config.json"));
  CHECK_THROWS_WITH(read_weights(folder / "w.safetensors", model),
                    ContainsSubstring("cannot open: No such file"));
  write_file_atomically(folder / "model.safetensors.index.json", "{}");
  CHECK_THAT(error_of_loading(folder.path(), model), ContainsSubstring("no weight_map"));
  write_file_atomically(folder / "model.safetensors", "x");
  CHECK_THAT(error_of_loading(folder.path(), model), ContainsSubstring("an index of other files"));
}

TEST_CASE("weights are read from several files, and their differences name the file",
          "[model][model_files]") {
  const TemporaryFolder folder;
  TinyModel<float> model = filled_model();
  write_safetensors_shards(folder.path(), "model", tensor_sources(model, DType::f32), 1);
  TinyModel<float> loaded;
  load_weights(folder.path(), loaded);
  CHECK(loaded.values == model.values);
  CHECK(loaded.versions == 1);
  TinyModel<float> larger(4);
  CHECK_THAT(error_of_loading(folder.path(), larger),
             ContainsSubstring("model.embed_tokens.weight has shape [3, 2] in "
                               "model-00001-of-00002.safetensors, expected [4, 2]") &&
                 ContainsSubstring("index.json"));
  CHECK(larger.versions == 0);
}

TEST_CASE("load_model makes the model that its folder describes", "[model][model_files]") {
  const TemporaryFolder folder;
  Transformer<float> model(odd_shape(), {.seed = 4});
  write_config_json(folder / "config.json", model.config());
  write_weights(folder / "model.safetensors", model, DType::f32);
  const Transformer<float> loaded = load_model(folder.path(), {.seed = 5});
  CHECK(loaded.config() == model.config());
  CHECK(std::equal(model.parameters().begin(), model.parameters().end(),
                   loaded.parameters().begin(), loaded.parameters().end()));
  const Transformer<double> precise = load_model<double>(folder.path());
  CHECK(precise.parameters()[7] == static_cast<double>(model.parameters()[7]));
}

#if !DUALAGENT_UNDER_ADDRESS_SANITIZER && !DUALAGENT_UNDER_THREAD_SANITIZER  // they keep memory
TEST_CASE("loading takes little more memory than the weights", "[model][model_files]") {
  const TemporaryFolder folder;
  TransformerConfig config = odd_shape();
  config.vocab_size = 80'000;  // too large for copies of weights in panels
  config.hidden_size = 256;
  config.intermediate_size = 1024;
  {
    Transformer<float> model(config, {.seed = std::nullopt});
    write_config_json(folder / "config.json", config);
    write_safetensors_shards(folder.path(), "model", tensor_sources(model, DType::f32), 8'000'000);
  }
  const auto [peak, held, weights] = memory_of_loading(folder.path());
  INFO("peak " << peak << " bytes, afterwards " << held << ", weights " << weights);
  CHECK(weights > 90e6);
  CHECK(held > 0.9 * weights);
  CHECK(peak <= 1.1 * weights);
}
#endif
