#include "dualagent/core/trim.hpp"

#include "support/catch.hpp"

using dualagent::trimmed;
using dualagent::trimmed_of;

TEST_CASE("white space at the ends goes, inside it stays", "[core]") {
  CHECK(trimmed(" \t\r\na  b\n ") == "a  b");
  CHECK(trimmed("a") == "a");
  CHECK(trimmed(" \n\t\r").empty());
  CHECK(trimmed("").empty());
  CHECK(trimmed("\v a") == "\v a");  // only the four that JSON and the templates know
}

TEST_CASE("only the characters that are named go", "[core]") {
  CHECK(trimmed_of("\n a \n", "\n") == " a ");
  CHECK(trimmed_of("\n", "\n").empty());
}
