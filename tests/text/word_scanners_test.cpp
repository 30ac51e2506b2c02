#include "dualagent/text/word_scanners.hpp"

#include <string>
#include <string_view>
#include <vector>

#include "support/catch.hpp"
#include "support/word_expressions.hpp"

using namespace dualagent;

namespace {

std::vector<std::string> cut(Scanner scan, std::string_view text) {
  std::vector<std::string> words;
  for (const char *at = text.data(), *end = at + text.size(); at != end;) {
    const char* next = scan(at, end);
    REQUIRE(next != nullptr);
    REQUIRE(next > at);
    words.emplace_back(at, next);
    at = next;
  }
  return words;
}

using Words = std::vector<std::string>;

}  // namespace

// Each expected list was read off the expression by hand; pcre2_expression_test.cpp compares the
// scanners with PCRE2 on random texts.
TEST_CASE("words are cut as the expressions say", "[text]") {
  CHECK(cut(scan_gpt2, "It's  12a\n") == Words{"It", "'s", " ", " 12", "a", "\n"});
  CHECK(cut(scan_gpt2, "IT'S !? \t") == Words{"IT", "'", "S", " !?", " \t"});
  CHECK(cut(scan_words<1, false>, "It'S 12\n\n x") ==
        Words{"It", "'S", " ", "1", "2", "\n\n", " x"});
  CHECK(cut(scan_words<1, false>, "x'\u017Fy !\n\r\n") == Words{"x", "'\u017F", "y", " !\n\r\n"});
  CHECK(cut(scan_words<3, false>, "1234 (abc)") == Words{"123", "4", " (", "abc", ")"});
  CHECK(cut(scan_words<1, false>, "\n \n  a\t") == Words{"\n \n", " ", " a", "\t"});
  CHECK(cut(scan_words<1, false>, "e\u0301a") == Words{"e", "\u0301a"});
  CHECK(cut(scan_words<1, true>, "e\u0301a") == Words{"e\u0301a"});
  CHECK(cut(scan_o200k, "camelCase HTTPServer it's X'D//\n") ==
        Words{"camel", "Case", " HTTPServer", " it's", " X'D", "//\n"});
  CHECK(cut(scan_o200k, "中A ǅb") == Words{"中", "A", " ǅb"});
  CHECK(cut(scan_deepseek_v3, "_ab c! \n(d") == Words{"_ab", " c", "!", " \n", "(d"});
  const std::string line = "  \n x", number = "1";
  CHECK(scan_deepseek_v3(number.data(), number.data() + 1) == nullptr);
  CHECK(scan_trailing_space(line.data(), line.data() + 2) == line.data() + 2);
  CHECK(scan_trailing_space(line.data(), line.data() + 5) == line.data() + 2);
  CHECK(scan_trailing_space(line.data() + 3, line.data() + 5) == nullptr);
}

TEST_CASE("scanners are found by the exact expression", "[text]") {
  for (std::size_t i = 0; i < 7; ++i) CHECK(find_scanner(word_expressions()[i]) != nullptr);
  CHECK(find_scanner(word_expressions()[0] + "|x") == nullptr);
}
