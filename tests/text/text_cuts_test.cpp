#include "dualagent/text/text_cuts.hpp"

#include <memory>
#include <string_view>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;

namespace {

SplitStep run(std::string_view expression) {
  return {std::make_shared<const ClassRun>(ClassRun::parse(expression).value())};
}
const std::vector<SplitStep> kWords = {{Scanner{scan_words<1, false>}}};

}  // namespace

TEST_CASE("a text is cut before spaces, line ends behind words and signs behind letters",
          "[text]") {
  const TextCuts cuts(kWords);
  CHECK(cuts.last("a b c", 0) == 3);
  CHECK(cuts.last("a b c", 3) == 3);
  CHECK(cuts.last("a b c", 4) == 0);
  CHECK(cuts.last("ab) ", 0) == 3);
  CHECK(cuts.last("é x", 0) == 2);
  CHECK(cuts.last("a\n", 0) == 1);
  CHECK(cuts.last("!\n", 0) == 0);  // the sign's word takes the line feed
  CHECK(cuts.last("你好。", 0) == 6);
  CHECK(cuts.last("你好\xE3\x80", 0) == 0);  // not known yet
  CHECK(cuts.last("a\n  b", 0) == 1);        // a space behind white space is none
  CHECK(cuts.last("\u3000 ", 0) == 0);
  CHECK(cuts.last("abc", 0) == 0);
  CHECK(cuts.last("", 0) == 0);
}

TEST_CASE("classes of characters cut where they end", "[text]") {
  const std::vector<SplitStep> letters = {run("\\s?[A-Za-z]+"), run("[\r\n]")};
  CHECK(TextCuts(letters).last("a b", 0) == 1);
  CHECK(TextCuts(letters).last("1 b", 0) == 0);  // no step cuts between the two
  CHECK(TextCuts(letters).last("1\nb", 0) == 1);
  const std::vector<SplitStep> joined = {run("[a-z ]+")};
  CHECK(TextCuts(joined).last("a b", 0) == 0);
  const std::vector<SplitStep> both = {run("[a-z]?\\s+"), {Scanner{scan_gpt2}}};
  CHECK(TextCuts(both).last("a b", 0) == 0);
  CHECK(TextCuts(both).last("A b", 0) == 1);
}

TEST_CASE("no cut is known where parts are merged or found by a general expression", "[text]") {
  std::vector<SplitStep> steps = kWords;
  steps.push_back({std::make_shared<const LiteralExpression>("-")});
  CHECK(TextCuts(steps).last("a b", 0) == 0);
  steps = kWords;
  steps[0].behavior = SplitBehavior::merged_with_next;
  CHECK(TextCuts(steps).last("a b", 0) == 0);
  CHECK(TextCuts(std::span<const SplitStep>()).last("a b", 0) == 0);
}

TEST_CASE("no cut where an added token can reach across", "[text]") {
  TextCuts cuts(kWords);
  cuts.keep({.content = "start of text"}, "start of text");
  cuts.keep({.content = "<r>", .rstrip = true}, "<r>");
  cuts.keep({.content = " w", .single_word = true}, " w");
  CHECK(cuts.last("start ", 0) == 0);
  CHECK(cuts.last("a> ", 0) == 0);
  TextCuts others(kWords);
  others.keep({.content = "start of text"}, "start of text");
  CHECK(others.last("a b", 0) == 1);
  CHECK(others.last("if x", 0) == 0);
  CHECK(others.last("é b", 0) == 2);
  TextCuts normal(kWords);
  normal.keep({.content = "K b", .normalized = true}, "K b");
  CHECK(normal.last("\u212A b", 0) == 0);  // the sign of kelvins becomes a K
}
