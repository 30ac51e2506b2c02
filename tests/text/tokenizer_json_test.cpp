#include "dualagent/text/tokenizer_json.hpp"

#include <string>

#include "dualagent/io/atomic_file.hpp"
#include "support/catch.hpp"

using namespace dualagent;

// What is refused, and what it does to tokens: hugging_face_tokenizer_test.cpp.
TEST_CASE("a tokenizer.json becomes steps, merges and added tokens", "[text][tokenizers]") {
  const std::string folder = DUALAGENT_TEST_DATA "/tokenizers/";
  const TokenizerDescription qwen =
      read_tokenizer_json(read_file(folder + "qwen2.json"), "qwen2.json");
  CHECK(qwen.nfc);
  CHECK(qwen.steps.size() == 1);
  CHECK(qwen.added.size() == 6);
  for (const AddedToken& token : qwen.added)
    CHECK(token.special == (token.content == "<|end|>" || token.content == "<|start|>"));
  CHECK(qwen.vocabulary.size() == 256 + qwen.merges.size());
  CHECK(qwen.merges[0].merged == 256);  // "a b" in this file, pairs in the next
  CHECK(qwen.before.size() == 1);
  const TokenizerDescription deepseek =
      read_tokenizer_json(read_file(folder + "deepseek_v3.json"), "x");
  CHECK(!deepseek.nfc);
  CHECK(deepseek.steps.size() == 3);
  CHECK(deepseek.merges[0].merged == 256);
  CHECK(read_tokenizer_json(read_file(folder + "llama3.json"), "x").ignore_merges);
}
