#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "dualagent/text/hugging_face_tokenizer.hpp"

/// The small tokenizers of tests/golden/tokenizers, one for each family.
namespace golden {

inline const std::string kTokenizerFolder = DUALAGENT_TEST_DATA "/tokenizers/";
inline const std::vector<std::string> kTokenizerFamilies = {
    "gpt2",        "smollm2",      "qwen2", "qwen35", "llama3",
    "deepseek_v3", "deepseek_llm", "o200k", "splits"};

inline dualagent::HuggingFaceTokenizer tokenizer_of(const std::string& family) {
  return dualagent::HuggingFaceTokenizer::from_file(kTokenizerFolder + family + ".json");
}

inline std::vector<dualagent::Token> encoded(const dualagent::HuggingFaceTokenizer& tokenizer,
                                             std::string_view text) {
  std::vector<dualagent::Token> tokens;
  tokenizer.encode(text, tokens);
  return tokens;
}

}  // namespace golden
