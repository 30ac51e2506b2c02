#include "dualagent/reward/math_answer.hpp"

#include <cstddef>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "dualagent/reward/math_expression.hpp"
#include "support/catch.hpp"

using namespace dualagent;

namespace {

Rollout answered(std::string answer) {
  Rollout rollout;
  rollout.answer = std::move(answer);
  return rollout;
}

std::string repeated(std::string_view piece, std::size_t times) {
  std::string text;
  for (std::size_t i = 0; i < times; ++i) text += piece;
  return text;
}

}  // namespace

TEST_CASE("answers are equal where math-verify says so, on 2,730 pairs", "[reward][golden]") {
  std::ifstream file(DUALAGENT_TEST_DATA "/math_answers/math_answers.jsonl");
  REQUIRE(file);
  std::size_t pairs = 0, equal = 0, disagreements = 0;
  for (std::string line; pairs < 2730 && std::getline(file, line); ++pairs) {
    const auto pair = nlohmann::json::parse(line);
    const auto right = pair[1].get<std::string>(), said = pair[2].get<std::string>();
    const bool expected = pair[3];
    equal += expected ? 1 : 0;
    if (equal_math(right, said) == expected) continue;
    ++disagreements;
    // The peer reads \sqrt 10 as TeX sets it, the root of 1 and then 0.
    INFO(right << " and " << said);
    CHECK((!expected && said.find("\\sqrt 1") != std::string::npos));
  }
  CHECK(pairs == 2730);
  CHECK(equal > 1000);
  CHECK(pairs - equal > 500);
  CHECK(disagreements <= pairs / 100);
}

TEST_CASE("equality does not depend on the order of the two answers", "[reward]") {
  std::ifstream file(DUALAGENT_TEST_DATA "/math_answers/math_answers.jsonl");
  std::size_t lopsided = 0;
  for (std::string line; std::getline(file, line);) {
    const auto pair = nlohmann::json::parse(line);
    const auto a = pair[1].get<std::string>(), b = pair[2].get<std::string>();
    lopsided += equal_math(a, b) != equal_math(b, a) ? 1 : 0;
  }
  CHECK(lopsided == 0);
}

TEST_CASE("what the pairs do not hold is read as people mean it", "[reward]") {
  CHECK(equal_math("90541", "90\\,541"));
  CHECK(equal_math("12000", "12e3"));
  CHECK(equal_math("0.0015", "1.5E-3"));
  CHECK(equal_math("\\frac{3}{2}", "1\\frac{1}{2}"));
  CHECK(equal_math("\\frac12", "0.5"));
  CHECK(equal_math("\\sqrt[3]{8}", "2"));
  CHECK(equal_math("12", "12 apples"));
  CHECK(equal_math("$12$", "12."));
  CHECK(equal_math("1,2,3", "3, 1, 2"));
  CHECK(equal_math("-(x+1)", "-x-1"));
  CHECK(equal_math("Monday", "\\text{monday}"));
  CHECK(equal_math("\\text{(B)}", "(B)"));
  CHECK_FALSE(equal_math("1,2,3", "1,2"));
  CHECK_FALSE(equal_math("(1,2)", "(2,1)"));
  CHECK_FALSE(equal_math("[1,2]", "(1,2)"));
  CHECK_FALSE(equal_math("listen", "silent"));  // no products of letters
  CHECK_FALSE(equal_math("x+1", "x+2"));
  CHECK_FALSE(equal_math("x", "y"));
  CHECK_FALSE(equal_math("", ""));
  CHECK_FALSE(equal_math("$", " "));
  CHECK_FALSE(equal_math("\\infty", "-\\infty"));
  CHECK_FALSE(equal_math("1/0", "2"));
  CHECK_FALSE(equal_math("9007199254740993", "9007199254740992"));  // beyond a double
}

TEST_CASE("the last box counts, whatever braces it holds", "[reward]") {
  CHECK(last_boxed("so \\boxed{1} or \\boxed{\\frac{1}{2}} it is") == "\\frac{1}{2}");
  CHECK(last_boxed("\\boxed{1}, no, \\fbox{2}") == "2");
  CHECK(last_boxed("no box") == std::nullopt);
  CHECK(last_boxed("\\boxed{\\frac{1}{2}") == std::nullopt);
  CHECK(last_boxed("\\boxed{}") == "");
  CHECK(after_hashes("1 + 1 = 2\n#### 1,000 \n") == "1,000");
  CHECK(after_hashes("2") == std::nullopt);
  CHECK(after_hashes("####  ") == std::nullopt);
}

TEST_CASE("mathematical rewards give what they are told for right and wrong", "[reward]") {
  const BoxedMath boxed{.success = 2.0, .failure = -1.0};
  const Task task{.answer = "\\frac{1}{2}"};
  CHECK(boxed.score(task, answered("It is \\boxed{0.5}.")) == 2.0);
  CHECK(boxed.score(task, answered("0.5")) == 2.0);
  CHECK(boxed.score(task, answered("\\boxed{0.5} \\boxed{0.6}")) == -1.0);
  CHECK(boxed.score(task, Rollout{}) == -1.0);
  const HashedMath hashed;
  const Task grade_school{.answer = "He has 3 * 4 = 12.\n#### 12"};
  CHECK(hashed.score(grade_school, answered("#### 12.00")) == 1.0);
  CHECK(hashed.score(grade_school, answered("12")) == 1.0);
  CHECK(hashed.score(grade_school, answered("#### 13")) == 0.0);
}

TEST_CASE("hostile answers are read in linear time and never crash", "[reward]") {
  const std::size_t million = 1 << 20;
  for (const std::string_view piece :
       {"{",      "(",       "[",       "\\{",       "\\frac{", "\\sqrt",    "\\sqrt{", "^",
        "^{",     "2^",      "-",       "+",         "*",       "/",         ",",       "1,111,",
        "1,111+", "\\left(", "\\text{", "\\text{a}", "$",       " ",         "a",       " bb",
        " bb 1",  "x ",      "1 ",      "9",         ".",       "1.",        "e9",      "1e9",
        "%",      "\\%",     "=",       "x=",        "\\",      "\\pi",      "\xff",    "\\boxed{",
        "}",      ")",       "()",      "(1)",       "(1,",     "1\\frac12", "\\infty", "\\quad"}) {
    INFO("repeated " << piece);
    const std::string hostile = repeated(piece, million / piece.size());
    CHECK_FALSE(equal_math(hostile, "1234567"));
    CHECK_FALSE(equal_math("(1,2)", hostile));
    last_boxed(hostile);
  }
  const std::string nested = repeated("{", 100000) + "1" + repeated("}", 100000);
  CHECK_FALSE(equal_math(nested, "2"));
  const std::string fifty = repeated("(", 20) + "1" + repeated(")", 20);
  CHECK(equal_math(fifty, "1"));
  CHECK(equal_math(repeated("1+", 1000) + "1", "1001"));
}
