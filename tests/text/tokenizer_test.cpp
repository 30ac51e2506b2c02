#include "dualagent/text/tokenizer.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("bytes go to tokens and back, and text never makes a special token", "[text]") {
  const ByteTokenizer tokenizer({"<|im_start|>", "<|im_end|>"});
  CHECK(tokenizer.vocab_size() == 258);
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  all += "<|im_end|>";
  std::vector<Token> tokens{7};
  tokenizer.encode(all, tokens);  // appends
  CHECK(tokens.size() == 1 + 256 + 10);
  CHECK(tokens.front() == 7);
  for (const Token token : tokens) CHECK(!tokenizer.is_special(token));
  CHECK(decode(tokenizer, std::span(tokens).subspan(1)) == all);
}

TEST_CASE("special tokens are found by name and written as it", "[text]") {
  const ByteTokenizer tokenizer({"<|im_start|>", "<|im_end|>"});
  CHECK(tokenizer.special("<|im_end|>") == Token{257});
  CHECK(tokenizer.is_special(256));
  CHECK(!tokenizer.special("<|im_en"));
  CHECK(!tokenizer.is_special(258));
  CHECK(!tokenizer.is_special(-1));
  CHECK(tokenizer.bytes_of(257) == "<|im_end|>");
  CHECK(tokenizer.bytes_of('a') == "a");
  CHECK(tokenizer.bytes_of(258).empty());
  CHECK(tokenizer.bytes_of(-1).empty());
  const ByteTokenizer copy = tokenizer;
  CHECK(copy.bytes_of(0) == std::string_view("\0", 1));
}

TEST_CASE("special tokens need names, each once", "[text]") {
  CHECK_THROWS_WITH(ByteTokenizer({"a", "a"}), ContainsSubstring("'a' is given twice"));
  CHECK_THROWS_WITH(ByteTokenizer({"a", ""}), ContainsSubstring("special token 1"));
}

TEST_CASE("a tokenizer with more tokens than the model has rows is refused", "[text]") {
  const ByteTokenizer tokenizer({"<|im_start|>", "<|im_end|>"});
  check_fits_model(tokenizer, 258);
  check_fits_model(tokenizer, 512);  // padded
  CHECK_THROWS_WITH(check_fits_model(tokenizer, 257), ContainsSubstring("tokens up to 257"));
}
