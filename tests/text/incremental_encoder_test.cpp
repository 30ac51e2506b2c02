#include "dualagent/text/incremental_encoder.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dualagent/core/random.hpp"
#include "dualagent/text/hugging_face_tokenizer.hpp"
#include "support/catch.hpp"
#include "support/golden_tokenizers.hpp"
#include "support/hostile_texts.hpp"
#include "support/sanitizers.hpp"

using namespace dualagent;

namespace {

void add(std::vector<Token>& all, const std::vector<Token>& more) {
  all.insert(all.end(), more.begin(), more.end());
}

/// Words, lines, spaces, added tokens and parts of them, between hostile pieces.
std::string text_of(const RandomStream& draws) {
  static constexpr std::string_view kPieces[] = {
      "the ",     "x\n",  "\n",   " ",       "add(x, y)", "don't ",       "你好。", "、ひ",
      "，",       "12 ",  "3",    "<think>", "</think",   "<tool_call> ", "<left>", " <both>",
      "<right> ", "word", "café", "ÿ ",      "e\u0301 ",  "\u212A "};
  std::string text;
  for (std::size_t i = 0; i < 6; ++i) {
    if (draws.below(2 * i, 3) == 0) text += hostile_text(draws.child(i));
    text += kPieces[draws.below(2 * i + 1, std::size(kPieces))];
  }
  return text;
}

/// Counts the bytes that are encoded.
struct Counting {
  HuggingFaceTokenizer tokenizer;
  std::shared_ptr<std::size_t> bytes = std::make_shared<std::size_t>(0);

  std::size_t vocab_size() const { return tokenizer.vocab_size(); }
  void encode(std::string_view text, std::vector<Token>& tokens) const {
    *bytes += text.size();
    tokenizer.encode(text, tokens);
  }
  std::string_view bytes_of(Token token) const { return tokenizer.bytes_of(token); }
  std::optional<Token> special(std::string_view name) const { return tokenizer.special(name); }
  bool is_special(Token token) const { return tokenizer.is_special(token); }
  std::size_t last_cut(std::string_view text, std::size_t from) const {
    return tokenizer.last_cut(text, from);
  }
};

}  // namespace

TEST_CASE("a text that grows has the tokens of the whole at every byte", "[text][tokenizers]") {
  const auto random = RandomStream::from_seed(31);
  for (const std::string& name : golden::kTokenizerFamilies) {
    CAPTURE(name);
    const HuggingFaceTokenizer tokenizer = golden::tokenizer_of(name);
    for (std::size_t i = 0; i < random_cases(300); ++i) {
      const std::string text = text_of(random.child(i));
      IncrementalEncoder encoder(tokenizer);
      std::vector<Token> final_tokens;
      for (std::size_t size = 1; size <= text.size(); ++size) {
        add(final_tokens, encoder.append(std::string_view(text).substr(size - 1, 1)));
        std::vector<Token> so_far = final_tokens;
        add(so_far, encoder.open());
        CAPTURE(text, size);
        REQUIRE(so_far == golden::encoded(tokenizer, std::string_view(text).substr(0, size)));
      }
    }
  }
}

TEST_CASE("the tokens do not depend on how the text comes", "[text][tokenizers]") {
  const auto random = RandomStream::from_seed(32);
  for (const std::string& name : golden::kTokenizerFamilies) {
    CAPTURE(name);
    const HuggingFaceTokenizer tokenizer = golden::tokenizer_of(name);
    IncrementalEncoder encoder(tokenizer);  // of one text after the other
    for (std::size_t i = 0; i < random_cases(1000); ++i) {
      const RandomStream draws = random.child(i);
      const std::string text = text_of(draws.child(0)) + text_of(draws.child(1));
      std::vector<Token> tokens;
      for (std::size_t at = 0, step = 0; at < text.size(); ++step) {
        const std::size_t size = draws.below(step, 12);
        add(tokens, encoder.append(std::string_view(text).substr(at, size)));
        at += size;
      }
      add(tokens, encoder.finish());
      CAPTURE(text);
      REQUIRE(tokens == golden::encoded(tokenizer, text));
    }
  }
}

TEST_CASE("what is final is encoded once, however the text comes", "[text][tokenizers]") {
  std::string text;
  while (text.size() < 200'000)
    text += "def f(x): return x + 1  # 你好，世界。Привет, мир\nA line of words and 3 numbers\n";
  for (const std::string& name : golden::kTokenizerFamilies) {
    if (name == "splits") continue;  // its parts are merged: final at the end
    CAPTURE(name);
    const Counting counting{golden::tokenizer_of(name)};
    IncrementalEncoder encoder(counting);
    std::size_t longest_open = 0;
    for (std::size_t at = 0; at < text.size(); at += 7) {
      encoder.append(std::string_view(text).substr(at, 7));
      const std::size_t before = *counting.bytes;
      encoder.open();
      longest_open = std::max(longest_open, *counting.bytes - before);
      *counting.bytes = before;
    }
    encoder.finish();
    CHECK(*counting.bytes == text.size());
    CHECK(longest_open < 60);
  }
}

TEST_CASE("tokens of bytes are final at once", "[text]") {
  IncrementalEncoder encoder(ByteTokenizer{});
  CHECK(encoder.append("ab") == std::vector<Token>{'a', 'b'});
  CHECK(encoder.finish().empty());
}
