#include "dualagent/core/spelling.hpp"

#include <array>
#include <string_view>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("edits are counted as by hand", "[core]") {
  CHECK(count_edits("", "") == 0);
  CHECK(count_edits("", "abc") == 3);
  CHECK(count_edits("answr", "answer") == 1);
  CHECK(count_edits("lable", "label") == 1);     // neighbours swapped
  CHECK(count_edits("kitten", "sitting") == 3);  // the textbook's example
  CHECK(count_edits("ca", "abc") == 3);          // alignment edits no part twice: not 2
}

TEST_CASE("the nearest name is a known one that is a few edits away", "[core]") {
  constexpr std::array<std::string_view, 3> kKeys = {"id", "prompt", "answer"};
  CHECK(nearest_name("answr", kKeys) == "answer");
  CHECK(nearest_name("Prompt", kKeys) == "prompt");
  CHECK(nearest_name("pormtp", kKeys) == "prompt");
  CHECK(!nearest_name("answer", kKeys));  // is known
  CHECK(!nearest_name("question", kKeys));
  CHECK(!nearest_name("xy", kKeys));
  CHECK(!nearest_name("", std::vector<std::string>{}));
  CHECK(spelling_hint("answr", kKeys) == "; did you mean \"answer\"?");
  CHECK(spelling_hint("question", kKeys).empty());
}
