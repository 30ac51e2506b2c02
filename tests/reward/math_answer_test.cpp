#include "dualagent/reward/math_answer.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "support/answering.hpp"
#include "support/catch.hpp"
#include "support/math_pairs.hpp"
#include "support/sanitizers.hpp"

using namespace dualagent;

namespace {

struct Pair {
  std::string kind, right, said;
  bool equal = false;  ///< says math-verify
};

std::vector<Pair> golden_pairs() {
  std::ifstream file(DUALAGENT_TEST_DATA "/math_answers/math_answers.jsonl");
  REQUIRE(file);
  std::vector<Pair> pairs;
  for (std::string line; std::getline(file, line);) {
    const auto pair = nlohmann::json::parse(line);
    pairs.push_back({pair[0], pair[1], pair[2], pair[3]});
  }
  return pairs;
}

/// Where the reader differs from math-verify on purpose: docs/rewards.md has the reasons.
struct Deviation {
  std::string_view kind, said;  ///< what the answer holds
  bool peer_equal = false;
  std::size_t pairs = 0;
};
constexpr std::array kDeviations = std::to_array<Deviation>({
    // Different numbers that the peer rounds to equal ones.
    {"tiny_fractions", "\\frac", true, 22},
    {"nearly_one", "\\frac", true, 29},
    // Numbers of different bases, whose subscript the peer drops.
    {"bases", "", true, 52},
    // \sin{8}x: the braces close before x.
    {"functions", "}x", true, 13},
    // Right answers that the peer does not read.
    {"roots", "\\sqrt 1", false, 4},
    {"mixed_numbers", "/", false, 5},
    {"degrees", "^\\circ C", false, 10},
    {"several", "\\text{ , }", false, 3},
    {"fonts", "\\boldsymbol", false, 6},
    {"fonts", "\\mathsf", false, 5},
    {"displayed", "\\textstyle", false, 11},
    {"unicode_signs", "\u00B7", false, 13},
    {"unicode_signs", "\u2013", false, 6},
    {"unicode_signs", "\u221A", false, 11},
    {"unicode_signs", "\u221E", false, 1},
    {"stars", "pi", false, 30},
    {"stars", "**", false, 17},
    {"plain_roots", "sqrt", false, 17},
    {"words", ".", false, 12},
    {"words", "true", false, 1},
    {"boxed_texts", "\\boxed {", false, 4},
    {"boxed_texts", "\\fbox", false, 4},
    {"boxed_texts", "\\boxed{}", false, 5},
    {"boxed_texts", "\\boxed{ }", false, 7},
});

std::string repeated(std::string_view piece, std::size_t times) {
  std::string text;
  for (std::size_t i = 0; i < times; ++i) text += piece;
  return text;
}

}  // namespace

TEST_CASE("answers are equal where math-verify says so, on 5,519 pairs, but for named deviations",
          "[reward][golden]") {
  const std::vector<Pair> pairs = golden_pairs();
  CHECK(pairs.size() == 5519);
  std::array<std::size_t, kDeviations.size()> found{};
  std::size_t equal = 0;
  for (const Pair& pair : pairs) {
    equal += pair.equal ? 1 : 0;
    const bool whole = pair.kind == "boxed_texts";
    const bool paid = whole
                          ? *BoxedMath{}.score({.answer = pair.right}, answering(pair.said)) == 1.0
                          : equal_math(pair.right, pair.said);
    if (paid == pair.equal) continue;
    INFO(pair.kind << ": " << pair.right << "  and  " << pair.said);
    const auto named =
        std::find_if(kDeviations.begin(), kDeviations.end(), [&](const Deviation& deviation) {
          return deviation.kind == pair.kind && deviation.peer_equal == pair.equal &&
                 pair.said.find(deviation.said) != std::string::npos;
        });
    REQUIRE(named != kDeviations.end());
    CHECK(pair.said != pair.right);
    ++found[static_cast<std::size_t>(named - kDeviations.begin())];
  }
  CHECK(equal == 3139);
  for (std::size_t i = 0; i < found.size(); ++i) {
    INFO(kDeviations[i].kind << ", " << kDeviations[i].said);
    CHECK(found[i] == kDeviations[i].pairs);
  }
}

TEST_CASE("equality does not depend on the order of the two answers", "[reward]") {
  std::size_t lopsided = 0;
  for (const Pair& pair : golden_pairs())
    lopsided += equal_math(pair.right, pair.said) != equal_math(pair.said, pair.right) ? 1 : 0;
  CHECK(lopsided == 0);
}

TEST_CASE("the last box that is not empty counts, whatever braces it holds", "[reward]") {
  CHECK(last_boxed("so \\boxed{1} or \\boxed{\\frac{1}{2}} it is") == "\\frac{1}{2}");
  CHECK(last_boxed("\\boxed{1}, no, \\fbox{2}") == "2");
  CHECK(last_boxed("\\boxed{1} \\boxed{}") == "1");
  CHECK(last_boxed("\\boxed{1} \\boxed{ } \\fbox{\n} \\boxed") == "1");
  CHECK(last_boxed("so $\\boxed 12$ it is") == "12");
  CHECK(last_boxed("so \\(\\boxed 12\\) it is") == "12");
  CHECK(last_boxed("\\boxed 12\nDone.") == "12");
  CHECK(last_boxed("\\boxed {12} it is") == "12");
  CHECK(last_boxed("\\boxed{\\boxed{7}}") == "7");
  CHECK(last_boxed("no box") == std::nullopt);
  CHECK(last_boxed("\\boxedness{4}") == std::nullopt);
  CHECK(last_boxed("\\boxed{\\frac{1}{2}") == std::nullopt);
  CHECK(last_boxed("\\boxed{3} \\boxed{4") == std::nullopt);
  CHECK(last_boxed("\\boxed{}") == std::nullopt);
}

TEST_CASE("mathematical rewards give what they are told for right and wrong", "[reward]") {
  const BoxedMath boxed{.success = 2.0, .failure = -1.0};
  const Task task{.answer = "\\frac{1}{2}"};
  CHECK(boxed.score(task, answering("It is \\boxed{0.5}.")) == 2.0);
  CHECK(boxed.score(task, answering("0.5")) == 2.0);
  CHECK(boxed.score(task, answering("\\boxed{0.5} \\boxed{0.6}")) == -1.0);
  CHECK(boxed.score(task, Rollout{}) == -1.0);
  const Task twelve{.answer = "12"};
  for (const char* right : {"$\\boxed 12$", "\\boxed {12}", "\\boxed{\\(12\\)}",
                            "\\boxed{12} as asked: \\boxed{}", "\\boxed{$12$}", "\\boxed{12.}"})
    CHECK(boxed.score(twelve, answering(right)) == 2.0);
  const HashedMath hashed;
  const Task grade_school{.answer = "He has 3 * 4 = 12.\n#### 12"};
  for (const char* right : {"#### 12.00", "12", "#### 12\nThat is all.", "#### 12 ####", "####12",
                            "#### 12 %", "####\n12", "#### $12", "#### 12 ####\nBye."})
    CHECK(hashed.score(grade_school, answering(right)) == 1.0);
  for (const char* wrong : {"#### 13", "#### 12\n#### 13", "#### 12 13", "#### 1 2", "####"})
    CHECK(hashed.score(grade_school, answering(wrong)) == 0.0);
}

TEST_CASE("the strict reward wants a box, at the end where it is told so", "[reward]") {
  const Task task{.id = "a", .prompt = "", .answer = "\\boxed{12}"};
  const auto score = [&](const StrictBoxedMath& reward, std::optional<std::string> answer) {
    Rollout rollout;
    rollout.answer = std::move(answer);
    return *reward.score(task, rollout);
  };
  const StrictBoxedMath anywhere{.success = 2.0, .failure = -1.0};
  CHECK(score(anywhere, "it is \\boxed{12.0}, I think") == 2.0);
  CHECK(score(anywhere, "12") == -1.0);
  CHECK(score(anywhere, "\\boxed{13}") == -1.0);
  CHECK(score(anywhere, std::nullopt) == -1.0);
  const std::string box = "\\boxed{12}";  // 10 bytes
  CHECK(score({.last_bytes = 10}, "x" + box) == 1.0);
  CHECK(score({.last_bytes = 10}, box + "x") == 0.0);
  CHECK(score({.last_bytes = 100}, box + std::string(90, 'x')) == 1.0);
  CHECK(score({.last_bytes = 100}, box + std::string(91, 'x')) == 0.0);
}

TEST_CASE("hostile answers are read in linear time and never crash", "[reward]") {
  const std::size_t bytes = random_cases(1 << 20);
  for (const std::string_view piece : {"{",
                                       "(",
                                       "[",
                                       "\\{",
                                       "\\frac{",
                                       "\\sqrt",
                                       "\\sqrt{",
                                       "^",
                                       "^{",
                                       "2^",
                                       "-",
                                       "+",
                                       "*",
                                       "/",
                                       ",",
                                       "1,111,",
                                       "1,111+",
                                       "\\left(",
                                       "\\text{",
                                       "\\text{a}",
                                       "$",
                                       " ",
                                       "a",
                                       " bb",
                                       " bb 1",
                                       "x ",
                                       "1 ",
                                       "9",
                                       ".",
                                       "1.",
                                       "e9",
                                       "1e9",
                                       "%",
                                       "\\%",
                                       "=",
                                       "x=",
                                       "\\",
                                       "\\pi",
                                       "\xff",
                                       "}",
                                       ")",
                                       "()",
                                       "(1)",
                                       "(1,",
                                       "1\\frac12",
                                       "\\infty",
                                       "\\quad",
                                       "\\boxed{",
                                       "\\boxed{}",
                                       "\\boxed ",
                                       "####",
                                       "#### ",
                                       "\\sin",
                                       "\\sin ",
                                       "\\log_",
                                       "x_{",
                                       "x_1",
                                       "f(x)=",
                                       "\\pm",
                                       "\\pm1,",
                                       "<",
                                       "\\cup",
                                       "\\text{ or }",
                                       "100!",
                                       "!",
                                       "\\begin{pmatrix}",
                                       "&",
                                       "\\\\",
                                       "\\text{cm}",
                                       "1\\text{ cm}",
                                       "\\begin{",
                                       "\\begin",
                                       "\\end{a",
                                       "\\mathrm{i}",
                                       "\u2212",
                                       "\\sqrt{99999}",
                                       "{1,2},",
                                       "\\over",
                                       "_{",
                                       "'"}) {
    INFO("repeated " << piece);
    const std::string hostile = repeated(piece, bytes / piece.size() / 4);
    CHECK_FALSE(equal_math(hostile, "1234567"));
    CHECK_FALSE(equal_math("(1,2)", hostile));
    last_boxed(hostile);
    after_hashes(hostile);
    // Work, not time: how often tokens are looked at, for twice as many.
    const auto looks = [&](std::size_t tokens) {
      const std::string text = repeated(piece, tokens);
      const std::vector<detail::MathToken> read = detail::MathTokenizer(text).tokens();
      CHECK(read.size() <= text.size() + 1);
      detail::MathParser parser(read);
      parser.number();
      return parser.looks();
    };
    CHECK(looks(2000) <= 3 * looks(1000) + 1000);
  }
  const std::string nested = repeated("{", 100000) + "1" + repeated("}", 100000);
  check_different(nested, "2");
  check_equal(repeated("(", 20) + "1" + repeated(")", 20), "1");
  check_equal(repeated("1+", 1000) + "1", "1001");
  check_equal(repeated("\\{", 9) + "1" + repeated("\\}", 9),
              repeated("\\{ ", 9) + "1" + repeated(" \\}", 9));
}
