#include "dualagent/text/pre_tokenizer.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;

namespace {

std::vector<std::string> words(const std::vector<SplitStep>& steps, std::string_view text) {
  std::vector<std::string> found;
  const auto keep = [&](std::string_view word) { found.emplace_back(word); };
  for_each_word(steps.data(), steps.data() + steps.size(), text, keep);
  return found;
}

SplitStep at_dashes(SplitBehavior behavior, bool invert = false) {
  return {std::make_shared<const LiteralExpression>("-"), behavior, invert};
}

using Words = std::vector<std::string>;

}  // namespace

TEST_CASE("a split treats its matches as the package documents", "[text]") {
  // The example of the package's documentation of SplitDelimiterBehavior.
  const std::string text = "the-final--countdown";
  CHECK(words({at_dashes(SplitBehavior::removed)}, text) == Words{"the", "final", "countdown"});
  CHECK(words({at_dashes(SplitBehavior::isolated)}, text) ==
        Words{"the", "-", "final", "-", "-", "countdown"});
  CHECK(words({at_dashes(SplitBehavior::merged_with_previous)}, text) ==
        Words{"the-", "final-", "-", "countdown"});
  CHECK(words({at_dashes(SplitBehavior::merged_with_next)}, text) ==
        Words{"the", "-final", "-", "-countdown"});
  CHECK(words({at_dashes(SplitBehavior::contiguous)}, text) ==
        Words{"the", "-", "final", "--", "countdown"});
  CHECK(words({at_dashes(SplitBehavior::removed, true)}, text) == Words{"-", "-", "-"});
}

TEST_CASE("each step cuts the pieces of the one before", "[text]") {
  const SplitStep digits{std::make_shared<const ClassRun>(ClassRun::parse("\\d").value())};
  CHECK(words({digits, {Scanner{scan_gpt2}}}, "a 12 b") == Words{"a", " ", "1", "2", " b"});
  CHECK(words({}, "all of it") == Words{"all of it"});
  CHECK(words({digits}, "").empty());
}
