#include "dualagent/reward/math_expression.hpp"

#include <string_view>

#include "support/catch.hpp"
#include "support/math_pairs.hpp"

TEST_CASE("what the pairs do not hold is read as people mean it", "[reward]") {
  check_equal("90541", "90\\,541");
  check_equal("12000", "12e3");
  check_equal("0.0015", "1.5E-3");
  check_equal("\\frac{3}{2}", "1\\frac{1}{2}");
  check_equal("\\frac12", "0.5");
  check_equal("\\sqrt[3]{8}", "2");
  check_equal("-2", "\\sqrt[3]{-8}");
  check_equal("12", "12 apples");
  check_equal("12", "12 cm");
  check_equal("60", "60 km/h");
  check_equal("$12$", "12.");
  check_equal("1,2,3", "3, 1, 2");
  check_equal("-(x+1)", "-x-1");
  check_equal("Monday", "\\text{monday}");
  check_equal("\\text{(B)}", "(B)");
  check_equal("1024", "2^10");
  check_equal("12 \\%", "12 %");
  check_equal("5!", "120");
  check_equal("\\binom{5}{2}", "10");
  check_equal("2^{n+1}", "2\\cdot 2^n");
  check_equal("2^{-n}", "\\frac{1}{2^n}");
  check_equal("\\sqrt{4x}", "2\\sqrt{x}");
  check_equal("\\sqrt{3+2\\sqrt{2}}", "1+\\sqrt{2}");
  check_equal("\\sqrt{5618}", "53\\sqrt{2}");
  check_equal("\\sqrt{12482}", "79\\sqrt{2}");
  check_equal("\\frac{211}{\\sqrt{211}}", "\\sqrt{211}");
  check_different("1,2,3", "1,2");
  check_different("(1,2)", "(2,1)");
  check_different("[1,2]", "(1,2)");
  check_different("[1,2]", "1,2");
  check_different("listen", "silent");  // not products of letters
  check_different("x+1", "x+2");
  check_different("x", "y");
  check_different("x", "X");
  check_different("", "");
  check_different("$", " ");
  check_different("\\infty", "-\\infty");
  check_different("2\\infty", "\\infty+1");
  check_different("\\sqrt{-1}", "\\sqrt{-2}");
  check_different("2\\mathrm{i}", "2");
  check_different("2 xy", "2");
  check_different("2mg", "2");  // mass and gravity
  check_different("\\sin 30^\\circ", "\\sin 30");
  check_different("\\sqrt{2}", "1.414");
}

TEST_CASE("numbers beyond 64 bits are compared exactly", "[reward]") {
  check_different("2^{2024}", "2^{2025}");
  check_different("2^{100}-1", "2^{100}");
  check_different("12345678901234567890", "12345678901234567891");
  check_different("\\frac{1}{3^{50}}", "0");
  check_different("\\frac{1}{3^{50}}", "\\frac{1}{3^{51}}");
  check_different("1-10^{-30}", "1");
  check_different("9007199254740993", "9007199254740992");  // beyond a double
  check_different("2^{100}+\\sqrt{2}", "2^{100}+\\sqrt{3}");
  check_different("2^{100}\\pi", "2^{100}\\pi+1");
  check_different("x+10^{-30}", "x");
  check_different("2^{2^{100}}", "2^{2^{100}+1}");
  check_different("10^{400}", "10^{401}");
  check_equal("2^{2024}", "2\\cdot 2^{2023}");
  check_equal("2^{100}-1", "1267650600228229401496703205375");
  check_equal("1267650600228229401496703205376", "4^{50}");
  check_equal("12345678901234567890", "12{,}345{,}678{,}901{,}234{,}567{,}890");
  check_equal("\\frac{1}{3^{50}}", "3^{-50}");
  check_equal("\\frac{2^{100}}{2^{99}}", "2");
  check_equal("2^{2024}-2^{2024}+1", "1");
  check_equal("2^{2^{100}}", "2^{4^{50}}");
  check_equal("2^{100}\\sqrt{8}", "2^{101}\\sqrt{2}");
  check_equal("50!", "50\\cdot 49!");
}

TEST_CASE("what divides by zero is not a number", "[reward]") {
  check_different("1/0", "2/0");
  check_different("\\frac{1}{0}", "\\infty");
  check_different("\\frac{1}{2-2}", "\\frac{3}{0}");
  check_different("\\frac{1}{\\sqrt{2}-\\sqrt{2}}", "\\frac{2}{0}");
  check_different("0^{-1}", "0");
  check_different("0^0", "1");
  check_different("\\frac{0}{0}", "0");
  check_different("\\frac{x}{0}", "\\frac{y}{0}");
  check_equal("\\frac{0}{5}", "0");
}

TEST_CASE("decimals are compared to six places, and to three digits", "[reward]") {
  check_equal("\\frac{1}{3}", "0.333333");
  check_equal("0.5", "\\frac{1}{2}");
  check_equal("\\pi", "3.141593");
  check_equal("12345678901234567890.5", "\\frac{24691357802469135781}{2}");
  check_different("\\frac{1}{3}", "0.33");
  check_different("0.0000001", "0");
  check_different("1.5e-9", "2.5e-9");
  check_different("12345678901234567890.5", "12345678901234567891.5");
  check_different("\\frac{x}{3}", "0.333333x");
}

TEST_CASE("a whole number and a proper fraction behind it are a sum", "[reward]") {
  for (const std::string_view mixed :
       {"3 \\frac{2}{3}", "3\\ \\dfrac{2}{3}", "3 2/3", "3\\frac23", "3\\,\\tfrac{2}{3}"}) {
    check_equal("\\frac{11}{3}", mixed);
    check_different("2", mixed);
  }
  check_equal("-\\frac{7}{2}", "-3\\frac{1}{2}");
  check_different("2\\frac{x}{3}", "2+\\frac{x}{3}");
  check_equal("2\\frac{x}{3}", "\\frac{2x}{3}");
  check_equal("2\\frac{\\sqrt{3}}{3}", "\\frac{2\\sqrt3}{3}");
  check_equal("3\\frac{\\pi}{2}", "\\frac{3\\pi}{2}");
  check_different("2\\frac{5}{3}", "\\frac{11}{3}");  // a sum or a product
  check_different("2\\frac{5}{3}", "\\frac{10}{3}");
  check_different("3 2/3", "\\frac{32}{3}");
  check_equal("3 \\cdot \\frac{2}{3}", "2");
}
