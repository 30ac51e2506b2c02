// The program of docs/training.md that imitates a file of chats, on a directory as Hugging Face has
// it: a tiny model, SmolLM2's chat template, and a small tokenizer in its format.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>

#include "support/catch.hpp"
#include "support/temporary_folder.hpp"
#include "training/demonstrations-from-a-file.inc"

namespace {

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size())
    text.replace(at, what.size(), by);
  return text;
}

void make_directory(const std::filesystem::path& folder) {
  const std::string golden = DUALAGENT_TEST_DATA;
  std::string json = text_of(golden + "/tokenizers/smollm2.json");
  json = replaced(replaced(json, "<|start|>", "<|im_start|>"), "<|end|>", "<|im_end|>");
  const auto tokenizer = dualagent::HuggingFaceTokenizer::from_json(json, "tokenizer.json");
  dualagent::Transformer<float> model({.vocab_size = tokenizer.vocab_size(),
                                       .hidden_size = 16,
                                       .num_hidden_layers = 1,
                                       .num_attention_heads = 2,
                                       .num_key_value_heads = 2,
                                       .head_dim = 8,
                                       .intermediate_size = 32,
                                       .max_position_embeddings = 400},
                                      {.seed = 7});
  dualagent::save_model(folder, model, {});
  std::ofstream(folder / "tokenizer.json") << json;
  const auto known =
      nlohmann::json::parse(text_of(golden + "/chat_templates/known_templates.json"));
  for (const auto& entry : known.at("templates"))
    if (entry.at("name") == "smollm2")
      std::ofstream(folder / "chat_template.jinja") << entry.at("jinja").get<std::string>();
}

double loss_of(const std::filesystem::path& metrics, bool last) {
  std::ifstream file(metrics);
  std::string line, first, newest;
  while (std::getline(file, line)) {
    if (first.empty()) first = line;
    newest = line;
  }
  return nlohmann::json::parse(last ? newest : first).at("loss");
}

}  // namespace

TEST_CASE("the page's program imitates a file of chats, and its loss falls", "[docs]") {
  const TemporaryFolder folder;
  const std::string in = folder / "in", out = folder / "out", chats = folder / "chats.jsonl";
  make_directory(in);
  {
    std::ofstream file(chats);
    for (int x = 0; x < 20; ++x)
      file << R"({"messages": [{"role": "user", "content": "Say )" << x
           << R"("}, {"role": "assistant", "content": ")" << x << "\"}]}\n";
  }
  CHECK(!imitate(in, chats, out, 30, 1e-2).interrupted());
  const std::filesystem::path metrics = out + "/metrics/warm_start.jsonl";
  CHECK(loss_of(metrics, true) < 0.5 * loss_of(metrics, false));
  for (const char* file :
       {"config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja"})
    CHECK(std::filesystem::exists(out + "/model/" + file));
  CHECK(dualagent::load_model(out + "/model").config().vocab_size > 500);
}
