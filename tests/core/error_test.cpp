#include "dualagent/core/error.hpp"

#include <stdexcept>
#include <string>

#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("an error names the thing, the place and the remedy", "[core]") {
  const Error error("row has 3 columns, expected 4", "ledger.csv:17", "Add the missing column");
  CHECK(std::string(error.what()) ==
        "row has 3 columns, expected 4 (ledger.csv:17). Add the missing column");
  CHECK(error.where() == "ledger.csv:17");
  CHECK(error.remedy() == "Add the missing column");
}

TEST_CASE("empty parts of an error leave no punctuation", "[core]") {
  CHECK(std::string(Error("it broke").what()) == "it broke");
  CHECK(std::string(Error("it broke", "here").what()) == "it broke (here)");
  CHECK(std::string(Error("it broke", "", "Mend it").what()) == "it broke. Mend it");
}

TEST_CASE("an error is caught as a runtime_error", "[core]") {
  CHECK_THROWS_AS(throw Error("x"), std::runtime_error);
}
