#include "dualagent/core/trim.hpp"

#include "support/catch.hpp"

using dualagent::trimmed;

TEST_CASE("white space at the ends goes, inside it stays", "[core]") {
  CHECK(trimmed(" \t\r\na  b\n ") == "a  b");
  CHECK(trimmed("a") == "a");
  CHECK(trimmed(" \n\t\r").empty());
  CHECK(trimmed("").empty());
  CHECK(trimmed("\v a") == "\v a");  // only the four that JSON and the templates know
}
