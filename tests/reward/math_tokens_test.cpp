#include "dualagent/reward/math_tokens.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent::detail;

namespace {

/// Each token as its kind's first letter and its text: "d1 s+ lx".
std::string cut(std::string_view text) {
  std::string shown;
  for (const MathToken& token : MathTokenizer(text).tokens())
    shown += (shown.empty() ? "" : " ") +
             std::string(1, "dlwcsoe"[static_cast<std::size_t>(token.kind)]) +
             std::string(token.text);
  return shown;
}

bool same(std::string_view a, std::string_view b) {
  return same_tokens(MathTokenizer(a).tokens(), MathTokenizer(b).tokens());
}

}  // namespace

TEST_CASE("digits, letters, words and signs are tokens", "[reward]") {
  CHECK(cut("12x + yes") == "d1 d2 lx s+ wyes");
  CHECK(cut("ab") == "la lb");  // two variables
  CHECK(cut("") == "");
  CHECK(cut("\\frac{1}{2}") == "c\\frac o{ d1 e} o{ d2 e}");
  CHECK(cut("\\text{ab}") == "o{ wab e}");  // letters in text are a word
}

TEST_CASE("spellings of one sign are one token", "[reward]") {
  CHECK(cut("\u2212 \u2013 -") == "s- s- s-");
  CHECK(cut("\\dfrac \\tfrac") == "c\\frac c\\frac");
  CHECK(cut("\\le \\leq <= \u2264") == "c\\leq c\\leq c\\leq c\\leq");
  CHECK(cut("pi \u03C0 \\pi") == "c\\pi c\\pi c\\pi");
  CHECK(cut("x**2") == "lx s^ d2");
  CHECK(cut("90\u00B0") == "d9 d0 s^ c\\circ");
  CHECK(cut("1 or 2") == "d1 s, d2");
  CHECK(cut("1\\text{ or }2") == "d1 s, d2");
}

TEST_CASE("what carries no meaning is passed over", "[reward]") {
  CHECK(cut("$\\left( x \\right)$") == "s( lx s)");
  CHECK(cut("\\[ \\displaystyle 7 \\]") == "d7");
  CHECK(cut("x.") == "lx");
  CHECK(cut("\\boxed{7.}") == "o{ d7 e}");
  CHECK(cut("7.5") == "d7 s. d5");
}

TEST_CASE("commas part thousands in whole groups, and numbers where there are brackets",
          "[reward]") {
  CHECK(cut("1,234,567") == "d1 d2 d3 d4 d5 d6 d7");
  CHECK(cut("1{,}234") == "d1 d2 d3 d4");
  CHECK(cut("1\\,234") == "d1 d2 d3 d4");
  CHECK(cut("1,23") == "d1 s, d2 d3");
  CHECK(cut("1234,567") == "d1 d2 d3 d4 s, d5 d6 d7");
  CHECK(cut("0.123,456") == "d0 s. d1 d2 d3 s, d4 d5 d6");
  CHECK(cut("(1,234)") == "s( d1 s, d2 d3 d4 s)");
}

TEST_CASE("hostile bytes are cut in linear time and end", "[reward]") {
  CHECK(cut("\\") == "");
  CHECK(cut("}}{") == "e} e} o{");
  CHECK(cut(std::string("a\0b", 3)).starts_with("la"));
  CHECK(MathTokenizer(std::string(100'000, '{')).tokens().size() == 100'000);
  CHECK(MathTokenizer("\xFF\xC3").tokens().size() == 2);
  CHECK(MathTokenizer("\\begin{" + std::string(1000, 'x')).tokens().front().text == "\\begin");
}

TEST_CASE("texts are the same but for spaces, fonts, needless braces and the case of words",
          "[reward]") {
  CHECK(same("\\text{Yes}", "yes"));
  CHECK(same("{x}", "x"));
  CHECK(same("x ^ {2}", "x^2"));
  CHECK_FALSE(same("x", "X"));     // variables
  CHECK_FALSE(same("1 2", "12"));  // two numbers
  CHECK_FALSE(same("", ""));       // nothing is not an answer
  CHECK_FALSE(same("\\frac{12}{3}", "\\frac{1}{23}"));
}
