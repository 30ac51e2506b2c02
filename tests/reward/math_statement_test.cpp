#include "dualagent/reward/math_statement.hpp"

#include <string>
#include <string_view>

#include "support/catch.hpp"
#include "support/math_pairs.hpp"

TEST_CASE("what is not read keeps its braces and spaces", "[reward]") {
  check_different("x>\\frac{1}{12}", "x>\\frac{11}{2}");
  check_different("1 23", "12 3");
  check_different("1 23", "123");
  check_different("\\log_{2}35", "\\log_{23}5");
  check_different("\\begin{pmatrix}1 & 23\\end{pmatrix}", "\\begin{pmatrix}12 & 3\\end{pmatrix}");
  check_different("\\begin{pmatrix}1 \\\\ 2\\end{pmatrix}", "\\begin{pmatrix}1 & 2\\end{pmatrix}");
  check_different("(1,2)\\cup(3,4)", "(1,2)\\cup(3,5)");
  check_different("(1,2)\\cup(3,4)", "(1,2)\\cap(3,4)");
  check_different("(-\\infty,1 2)\\cup(3,4)", "(-\\infty,12)\\cup(3,4)");
  check_different("10_2", "10_3");
  check_different("|\\frac\\text{12}{3}|", "|\\frac12{3}|");
  check_different("x_{1}2", "x_{12}");
  check_different("x>3", "x\\geq 3");
  check_different("2:3", "4:6 8");
  check_different("|x_{1}2|", "|x_{12}|");
  check_equal("x>\\frac{1}{12}", "x > \\dfrac{1}{12}");
  check_equal("x>0.5", "x>\\frac12");
  check_equal("-1<x\\le 2", "-1 \\lt x \\leq 2");
  check_equal("\\log_2 35", "\\log_{2}{35}");
  check_equal("\\sin{4x}", "\\sin(4x)");
  check_equal("(1,2)\\cup(3,4)", "(3,4) \\cup (1, 2)");
  check_equal("\\begin{pmatrix}0.5 \\\\ 2\\end{pmatrix}",
              "\\begin{bmatrix} \\frac12 \\\\ 2 \\\\ \\end{bmatrix}");
  check_equal("10_2", "10_{2}");
  check_equal("x \\in \\mathbb{R}", "\\mathbb{R}");
}

TEST_CASE("a value may bear a name", "[reward]") {
  check_equal("2x+1", "f(x)=2x+1");
  check_equal("2x+1", "y = 1+2x");
  check_equal("5", "AB = 5");
  check_equal("5", "x_0=5");
  check_equal("5", "x=2+3=5");
  check_equal("5", "2+3=5");
  check_equal("5", "m+n = 5");
  check_equal("30", "\\theta=30^\\circ");
  check_equal("30^{\\circ}", "\\angle ABC = 30\u00B0");
  check_equal("\\sqrt{2}", "x = \\sqrt{2} \\approx 1.414");
  check_equal("(0,1)", "x \\in (0,1)");
  check_equal("(3,4)", "(x,y) = (3,4)");
  check_equal("7", "f(3) = 7");
  check_different("(3,4)", "(x,y) = (4,3)");
  check_different("(3,4)", "(x+1,y) = (3,4)");
  check_different("6", "(x+1)(x+2) = 6");
  check_different("5", "2x = 5");
  check_different("5", "-x = 5");
  check_different("5", "x^2 = 5");
  check_different("6", "x(x+1) = 6");
  check_different("5", "x=2+4=5");
  check_different("5", "x \\ne 5");
  check_different("5", "x > 5");
  check_different("x=5", "y=5");
  check_different("x+y=5", "x-y=5");
  check_equal("x+y=5", "x+y = 5.0");
}

TEST_CASE("several solutions in any order, with and without names and braces", "[reward]") {
  for (const std::string_view said :
       {"x=2 \\text{ or } x=-3", "x=2, x=-3", "2 \\text{ and } -3", "-3 or 2", "x_1=2, x_2=-3",
        "x \\in \\{-3, 2\\}", "\\{2,-3\\}", "{2,-3}", "x=2 \\lor x=-3", "x=2,-3", "2; -3"}) {
    check_equal("2,-3", said);
    check_different("2,3", said);
    check_different("2", said);
  }
  check_equal("(1,2),(3,4)", "\\{(3,4),(1,2)\\}");
  check_equal("\\{(1,2),(3,4)\\}", "\\left\\{ (1, 2), (3, 4) \\right\\}");
  check_equal("3\\pm\\sqrt{2}", "3-\\sqrt2, 3+\\sqrt2");
  check_equal("x=\\pm 2", "-2, 2");
  check_equal("5", "\\{5\\}");
  check_different("(1,2),(3,4)", "(2,1),(3,4)");
  check_different("(1,2),(3,4)", "(1,2)");
  check_different("3\\pm\\sqrt{2}", "3+\\sqrt{2}");
  check_different("2,3", "x=3, y=2");  // an order that the names give
  check_different("x=2, y=3", "x=3, y=2");
  check_different("2,3", "AB=3, AC=2");
  check_equal("x=2, y=3", "x = 2, y = 3.0");
  check_different("12", "12 \\text{ or } 13");
}

TEST_CASE("fonts, sizes and spellings of a sign do not count", "[reward]") {
  for (const std::string_view font : {"mathbf", "textit", "text", "mathrm", "boldsymbol"}) {
    check_equal("13", "\\" + std::string(font) + "{13}");
    check_different("12", "\\" + std::string(font) + "{13}");
  }
  for (const std::string_view half : {"\\displaystyle\\frac{1}{2}", "\\cfrac{1}{2}",
                                      "{\\textstyle\\frac{1}{2}}", "{1 \\over 2}"}) {
    check_equal("\\frac12", half);
    check_different("\\frac13", half);
  }
  check_equal("-5", "\u22125");
  check_equal("2\\pi", "2\u03C0");
  check_equal("2\\pi r", "2*pi*r");
  check_equal("\\sqrt{x}", "sqrt(x)");
  check_equal("2x^{10}", "2*x**10");
  check_equal("\\infty", "\u221E");
  check_equal("x\\geq 2", "x >= 2");
  check_equal("12", "\\boxed{\\(12\\)}");
  check_equal("12", "\\[12\\]");
  check_different("5", "\u22125");
  check_different("2\\pi", "2p");
  check_different("pi", "p");
}

TEST_CASE("words are words from three letters on, and in text", "[reward]") {
  check_equal("yes", "\\text{Yes}");
  check_equal("\\text{No}", "no");
  check_equal("\\text{A}", "a");
  check_equal("\\text{red}", "red.");
  check_equal("\\text{the dog}", "The  dog");
  check_different("\\text{dog}", "\\text{god}");
  check_different("dog", "god");
  check_different("\\text{A}", "\\text{B}");
  check_different("the dog", "the god");
  check_different("on", "one");
}
