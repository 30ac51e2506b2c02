#include "dualagent/model/model_files.hpp"

#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/file_faults.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;

namespace {

/// Two named tensors over one flat buffer, and nothing else that a model has.
template <class Scalar>
struct TinyModel {
  std::vector<Scalar> values;
  std::vector<TensorInfo> infos;
  int versions = 0;

  explicit TinyModel(std::size_t vocab_size = 3)
      : values(vocab_size * 2 + 2, Scalar{0}),
        infos{{"model.embed_tokens.weight", {vocab_size, 2}, 0, vocab_size * 2},
              {"model.norm.weight", {2}, vocab_size * 2, 2}} {}

  std::span<const TensorInfo> tensors() const { return infos; }
  std::span<Scalar> parameters() { return values; }
  void weights_changed() { ++versions; }
  TransformerConfig config() const {
    TransformerConfig config;
    config.vocab_size = infos[0].shape[0];
    config.hidden_size = 2;
    config.intermediate_size = 4;
    config.num_hidden_layers = 1;
    config.num_attention_heads = 1;
    config.num_key_value_heads = 1;
    config.head_dim = 2;
    config.max_position_embeddings = 16;
    config.rms_norm_eps = 1e-5F;
    return config;
  }
};

TinyModel<float> filled_model() {
  TinyModel<float> model;
  for (std::size_t i = 0; i < model.values.size(); ++i)
    model.values[i] = 0.1F * static_cast<float>(i) - 0.3F;
  return model;
}

template <class Model>
std::string error_of_loading(const std::filesystem::path& folder, Model& model) {
  return error_of([&] { load_weights(folder, model); });
}

}  // namespace

TEST_CASE("a saved model is loaded with every bit", "[model][model_files]") {
  const TemporaryFolder folder;
  TinyModel<float> model = filled_model();
  save_model(folder / "out/model", model);
  TinyModel<float> loaded(load_config(folder / "out/model").vocab_size);
  load_weights(folder / "out/model", loaded);
  CHECK(std::memcmp(loaded.values.data(), model.values.data(),
                    model.values.size() * sizeof(float)) == 0);
  CHECK(loaded.versions == 1);
  CHECK(SafeTensors::open(folder / "out/model/model.safetensors").metadata().at("format") == "pt");
}

TEST_CASE("saving the same model again gives the same bytes", "[model][model_files]") {
  const TemporaryFolder folder;
  TinyModel<float> model = filled_model();
  save_model(folder / "a", model);
  save_model(folder / "b", model);
  for (const std::string name : {"model.safetensors", "config.json"})
    CHECK(read_file(folder / ("a/" + name)) == read_file(folder / ("b/" + name)));
}

TEST_CASE("weights can be stored narrower and read into another scalar", "[model][model_files]") {
  const TemporaryFolder folder;
  TinyModel<float> model = filled_model();
  model.values[0] = 1.5F;
  save_model(folder.path(), model, DType::bf16);
  TinyModel<double> loaded;
  load_weights(folder.path(), loaded);
  CHECK(loaded.values[0] == 1.5);
  CHECK(loaded.values[1] == Approx(-0.2).epsilon(1.0 / 256));
  CHECK_THAT(read_file(folder / "config.json"), ContainsSubstring("\"torch_dtype\": \"bfloat16\""));
}

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
             ContainsSubstring("unexpected lm_head.weight"));
}

TEST_CASE("missing files and split weights are explained", "[model][model_files]") {
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
  CHECK_THAT(error_of_loading(folder.path(), model), ContainsSubstring("split over several files"));
}

TEST_CASE("a save that fails keeps the model that was there", "[model][model_files]") {
  const TemporaryFolder folder;
  TinyModel<float> model = filled_model();
  save_model(folder.path(), model);
  const std::vector<float> before = model.values;
  model.values[0] = 99.0F;
  {
    const FileSizeLimit limit(50);
    CHECK_THROWS_AS(save_model(folder.path(), model), Error);
  }
  TinyModel<float> loaded;
  load_weights(folder.path(), loaded);
  CHECK(loaded.values == before);
  CHECK(folder.entries() == 2);
}
