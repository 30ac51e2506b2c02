#pragma once

#include <cstddef>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "dualagent/io/atomic_file.hpp"
#include "dualagent/model/save_model.hpp"
#include "dualagent/model/transformer.hpp"
#include "dualagent/text/byte_alphabet.hpp"

/// A Hugging Face directory of a tiny random model whose tokens are the 256 bytes and the special
/// tokens of SmolLM2, with SmolLM2's chat template.
namespace tiny_folder {

inline constexpr std::size_t kPositions = 2048;

/// SmolLM2-135M-Instruct's, by which dialect_for recognises it.
inline const std::string kTemplate =
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ "
    "'<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging "
    "Face<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + "
    "message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ "
    "'<|im_start|>assistant\n' }}{% endif %}";

inline std::string utf8(char32_t c) {  // below U+0800
  if (c < 0x80) return {static_cast<char>(c)};
  return {static_cast<char>(0xC0U | (c >> 6U)), static_cast<char>(0x80U | (c & 0x3FU))};
}

inline nlohmann::json tokenizer_json() {
  nlohmann::json vocab, added = nlohmann::json::array();
  std::size_t id = 0;
  for (const char* name : {"<|endoftext|>", "<|im_start|>", "<|im_end|>"}) {
    added.push_back({{"id", id},
                     {"content", name},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", true}});
    vocab[name] = id++;
  }
  for (const char32_t c : dualagent::detail::kByteCharacters) vocab[utf8(c)] = id++;
  const nlohmann::json level = {{"type", "ByteLevel"},
                                {"add_prefix_space", false},
                                {"trim_offsets", true},
                                {"use_regex", true}};
  return {{"version", "1.0"},
          {"added_tokens", added},
          {"normalizer", nullptr},
          {"pre_tokenizer", level},
          {"post_processor", nullptr},
          {"decoder", level},
          {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", nlohmann::json::array()}}}};
}

inline void write(const std::filesystem::path& folder, std::uint64_t seed = 3) {
  using namespace dualagent;
  Transformer<float> model(TransformerConfig{.vocab_size = 259,
                                             .hidden_size = 8,
                                             .num_hidden_layers = 1,
                                             .num_attention_heads = 2,
                                             .num_key_value_heads = 1,
                                             .head_dim = 4,
                                             .intermediate_size = 16,
                                             .max_position_embeddings = kPositions,
                                             .rope_theta = 10000.0,
                                             .rms_norm_eps = 1e-5,
                                             .tie_word_embeddings = true},
                           {.seed = seed});
  save_model(folder, model);
  write_file_atomically(folder / "tokenizer.json", tokenizer_json().dump());
  write_file_atomically(folder / "tokenizer_config.json",
                        nlohmann::json{{"chat_template", kTemplate}}.dump());
}

}  // namespace tiny_folder
