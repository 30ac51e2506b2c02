#include "dualagent/core/warning.hpp"

#include <string>

#include "support/catch.hpp"
#include "support/warnings.hpp"

using namespace dualagent;

TEST_CASE("a warning goes to the sink that is set, printable, and to none before", "[core]") {
  Warnings outer;
  {
    Warnings inner;
    warn("a \x1b[31mred\x1b[0m word");
    CHECK(inner.text() == "a \\x1b[31mred\\x1b[0m word\n");
  }
  CHECK(outer.count() == 0);
  warn("two");
  CHECK(outer.text() == "two\n");
}

TEST_CASE("a text is said once where that is asked for, another one too", "[core]") {
  Warnings warnings;
  for (const char* text : {"run.jsonl is damaged", "run.jsonl is damaged", "other.jsonl is damaged",
                           "run.jsonl is damaged"})
    warn_once(text);
  CHECK(warnings.text() == "run.jsonl is damaged\nother.jsonl is damaged\n");
}
