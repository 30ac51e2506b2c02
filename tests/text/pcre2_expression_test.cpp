#include "dualagent/text/pcre2_expression.hpp"

#include <string>
#include <string_view>
#include <vector>

#include "dualagent/core/random.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/hostile_texts.hpp"
#include "support/word_expressions.hpp"

using namespace dualagent;

namespace {

std::vector<std::string> words(const SplitStep& step, std::string_view text) {
  std::vector<std::string> found;
  const auto keep = [&](std::string_view word) { found.emplace_back(word); };
  for_each_word(&step, &step + 1, text, keep);
  return found;
}

}  // namespace

TEST_CASE("hand-written scanners cut as PCRE2 does", "[text][pcre2]") {
  for (const std::string& expression : word_expressions()) {
    CAPTURE(expression);
    SplitStep by_hand;
    if (const Scanner scanner = find_scanner(expression))
      by_hand.matcher = scanner;
    else
      by_hand.matcher = std::make_shared<const ClassRun>(ClassRun::parse(expression).value());
    const SplitStep by_pcre2{Pcre2Expressions{}(expression)};
    const auto random = RandomStream::from_seed(5);
    for (std::size_t i = 0; i < 1500; ++i) {
      const std::string text = hostile_text(random.child(i));
      if (words(by_hand, text) == words(by_pcre2, text)) continue;
      CAPTURE(text);
      CHECK(words(by_hand, text) == words(by_pcre2, text));
    }
  }
}

TEST_CASE("expressions that are nobody's are matched", "[text][pcre2]") {
  std::vector<Match> matches;
  Pcre2Expression("(?<=a)b{2,3}|\\d+(?!x)").find_all("abbbb 12x é7", matches);
  CHECK(matches == std::vector<Match>{{1, 4}, {6, 7}, {12, 13}});
  Pcre2Expression("a*").find_all("baa", matches);  // empty matches, too
  CHECK(matches == std::vector<Match>{{0, 0}, {1, 3}, {3, 3}});
  Pcre2Expression("[^a]").find_all("a\xFFz", matches);
  CHECK(matches == std::vector<Match>{{1, 2}, {2, 3}});
}

TEST_CASE("what might mean something else in PCRE2 is refused", "[text][pcre2]") {
  for (const char* expression : {"\\w+", "\\bx", "[[:alpha:]]", "[a&&b]", "\\p{Han}", "\\h",
                                 "(?m:x)", "x{1,2}+", ".", "\\K", "(?"})
    CHECK_THROWS_WITH(Pcre2Expression(expression), ContainsSubstring("not known to mean the same"));
  CHECK_THROWS_WITH(Pcre2Expression("(a"), ContainsSubstring("does not compile"));
}
