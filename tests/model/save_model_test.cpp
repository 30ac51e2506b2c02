#include "dualagent/model/save_model.hpp"

#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/file_faults.hpp"
#include "support/temporary_folder.hpp"
#include "support/tiny_model.hpp"

using namespace dualagent;

namespace {

std::filesystem::path golden(const std::string& name) {
  return std::filesystem::path(DUALAGENT_TEST_DATA) / "models" / name;
}

/// A golden model's folder with a tokenizer and templates beside it.
void make_source(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder / "additional_chat_templates");
  for (const char* name : {"config.json", "generation_config.json", "model.safetensors"})
    write_file_atomically(folder / name, read_file(golden("qwen2") / name));
  write_file_atomically(folder / "tokenizer.json", std::string("{\"a\": \"\xC3\xBC\"}\r\n \0", 15));
  write_file_atomically(folder / "tokenizer_config.json", "{}");
  write_file_atomically(folder / "chat_template.jinja", "{% for m in messages %}");
  write_file_atomically(folder / "additional_chat_templates/tool_use.jinja", "tools");
  write_file_atomically(folder / "LICENSE", "Apache-2.0");
  write_file_atomically(folder / "README.md", "of the source");
}

}  // namespace

TEST_CASE("a saved model is loaded with every bit", "[model][save_model]") {
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

TEST_CASE("saving the same model again gives the same bytes", "[model][save_model]") {
  const TemporaryFolder folder;
  TinyModel<float> model = filled_model();
  save_model(folder / "a", model);
  save_model(folder / "b", model);
  for (const std::string name : {"model.safetensors", "config.json"})
    CHECK(read_file(folder / ("a/" + name)) == read_file(folder / ("b/" + name)));
}

TEST_CASE("weights can be stored narrower and read into another scalar", "[model][save_model]") {
  const TemporaryFolder folder;
  TinyModel<float> model = filled_model();
  model.values[0] = 1.5F;
  save_model(folder / "m", model, {.stored_as = DType::bf16});
  TinyModel<double> loaded;
  load_weights(folder / "m", loaded);
  CHECK(loaded.values[0] == 1.5);
  CHECK(loaded.values[1] == Approx(-0.2).epsilon(1.0 / 256));
  CHECK_THAT(read_file(folder / "m/config.json"),
             ContainsSubstring("\"torch_dtype\": \"bfloat16\""));
}

TEST_CASE("a model goes out as it came in, with all that belongs to it", "[model][save_model]") {
  const TemporaryFolder folder;
  make_source(folder / "source");
  auto model = load_model(folder / "source");
  save_model(folder / "saved", model, {.from = folder / "source"});
  for (const char* name :
       {"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json",
        "chat_template.jinja", "LICENSE", "additional_chat_templates/tool_use.jinja"}) {
    INFO(name);
    CHECK(read_file(folder / "saved" / name) == read_file(folder / "source" / name));
  }
  CHECK_FALSE(std::filesystem::exists(folder / "saved/README.md"));
  const SafeTensors before = SafeTensors::open(folder / "source/model.safetensors");
  const SafeTensors after = SafeTensors::open(folder / "saved/model.safetensors");
  REQUIRE(after.tensors().size() == before.tensors().size());
  for (const TensorView& tensor : before.tensors())
    CHECK(SafeTensors::same(before, tensor, after, after.at(tensor.name)));
}

TEST_CASE("every golden model is saved with every bit in its own type", "[model][save_model]") {
  const TemporaryFolder folder;
  for (const auto& [name, type] :
       std::vector<std::pair<std::string, DType>>{{"llama", DType::f32},
                                                  {"llama3", DType::bf16},
                                                  {"llama_linear", DType::f16},
                                                  {"smollm2", DType::bf16},
                                                  {"qwen3", DType::f32},
                                                  {"mistral", DType::bf16}}) {
    INFO(name);
    auto model = load_model(golden(name));
    save_model(folder / name, model, {.stored_as = type, .from = golden(name)});
    const SafeTensors before = SafeTensors::open(golden(name) / "model.safetensors");
    const SafeTensors after = SafeTensors::open(folder / name / "model.safetensors");
    REQUIRE(after.tensors().size() == before.tensors().size());
    for (const TensorView& tensor : before.tensors())
      CHECK(SafeTensors::same(before, tensor, after, after.at(tensor.name)));
    CHECK(read_file(folder / name / "config.json") == read_file(golden(name) / "config.json"));
    CHECK(load_config(folder / name) == load_config(golden(name)));
  }
}

TEST_CASE("large weights are split, and a smaller save leaves none of the parts",
          "[model][save_model]") {
  const TemporaryFolder folder;
  auto model = load_model(golden("qwen3"));
  save_model(folder / "m", model, {.max_shard_bytes = 20'000});
  CHECK(std::filesystem::exists(folder / "m/model-00001-of-00005.safetensors"));
  CHECK(std::filesystem::exists(folder / "m/model-00005-of-00005.safetensors"));
  CHECK(std::filesystem::exists(folder / "m/model.safetensors.index.json"));
  CHECK_FALSE(std::filesystem::exists(folder / "m/model.safetensors"));
  const auto loaded = load_model(folder / "m");
  CHECK(std::equal(model.parameters().begin(), model.parameters().end(),
                   loaded.parameters().begin(), loaded.parameters().end()));
  save_model(folder / "m", model);
  CHECK(std::distance(std::filesystem::directory_iterator(folder / "m"), {}) == 2);
}

TEST_CASE("a folder can be saved over itself", "[model][save_model]") {
  const TemporaryFolder folder;
  make_source(folder / "m");
  std::filesystem::remove(folder / "m/README.md");
  auto model = load_model(folder / "m");
  model.parameters()[0] = 2.0F;
  save_model(folder / "m", model, {.from = folder / "m"});
  CHECK(load_model(folder / "m").parameters()[0] == 2.0F);
  CHECK(read_file(folder / "m/chat_template.jinja") == "{% for m in messages %}");
  CHECK(folder.entries() == 1);
}

TEST_CASE("nothing else than a model is replaced, and no model gets another's files",
          "[model][save_model]") {
  const TemporaryFolder folder;
  make_source(folder / "source");
  auto model = load_model(folder / "source");
  const auto problem = [&](const std::filesystem::path& to, const SaveOptions& options) {
    return error_of([&] { save_model(to, model, options); });
  };
  CHECK_THAT(problem(folder / "source", {}),
             ContainsSubstring("the folder holds README.md") && ContainsSubstring("source"));
  CHECK(read_file(folder / "source/README.md") == "of the source");
  CHECK_THAT(problem(folder / "out", {.from = folder / "gone"}),
             ContainsSubstring("there is no such folder"));
  CHECK_THAT(problem(folder / "out", {.from = golden("qwen3")}),
             ContainsSubstring("differs in head_dim: 8 here, 12 there") &&
                 ContainsSubstring("config.json"));
  CHECK(folder.entries() == 1);
}

TEST_CASE("a save that fails keeps the model that was there", "[model][save_model]") {
  const TemporaryFolder folder;
  TinyModel<float> model = filled_model();
  save_model(folder / "m", model);
  const std::vector<float> before = model.values;
  model.values[0] = 99.0F;
  {
    const FileSizeLimit limit(50);
    CHECK_THROWS_AS(save_model(folder / "m", model), Error);
  }
  TinyModel<float> loaded;
  load_weights(folder / "m", loaded);
  CHECK(loaded.values == before);
  CHECK(folder.entries() == 1);
}

TEST_CASE("shards that no tensor fits into are refused before anything is written",
          "[model][save_model]") {
  const TemporaryFolder folder;
  TinyModel<float> model = filled_model();
  CHECK_THAT(error_of([&] { save_model(folder / "m", model, {.max_shard_bytes = 0}); }),
             ContainsSubstring("max_shard_bytes is 0 (SaveOptions)"));
  CHECK(folder.entries() == 0);
}
