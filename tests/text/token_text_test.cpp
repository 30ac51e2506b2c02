#include "dualagent/text/token_text.hpp"

#include <string>

#include "laws/tokenizer_laws.hpp"
#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("parts of characters become U+FFFD as in The Unicode Standard", "[text]") {
  // Table 3-8 of The Unicode Standard, and the others of section 3.9.
  CHECK(valid_utf8("\x61\xF1\x80\x80\xE1\x80\xC2\x62\x80\x63\x80\xBF\x64") ==
        "a\uFFFD\uFFFD\uFFFDb\uFFFDc\uFFFD\uFFFDd");
  CHECK(valid_utf8("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41") ==
        "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD"
        "A");
  CHECK(valid_utf8("\xED\xA0\x80\xF4\x91\x92\x93\xFF") ==
        "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD");
  CHECK(valid_utf8("é中😀") == "é中😀");
}

TEST_CASE("characters come out whole, as soon as they are", "[text]") {
  TokenText text(ByteTokenizer{});
  CHECK(text.push('a') == "a");
  CHECK(text.push(0xE4) == "");
  CHECK(text.push(0xB8) == "");
  CHECK(text.push(0xAD) == "中");
  CHECK(text.push(0xF0) == "");
  CHECK(text.push('b') ==
        "\xF0"
        "b");
  CHECK(text.push(0xC3) == "");
  CHECK(text.finish() == "\xC3");
  CHECK(text.finish() == "");
}

TEST_CASE("the byte tokenizer keeps the laws", "[text]") {
  const std::vector<std::string> names = {"<|im_end|>", "<think>"};
  CHECK(laws::of_tokenizer(ByteTokenizer(names), names, [](std::string_view text) {
          return std::string(text);
        }).empty());
}
