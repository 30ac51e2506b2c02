#include "ledger_smollm2/statement.hpp"

#include <vector>

#include "support/catch.hpp"

using namespace ledger_smollm2;

TEST_CASE("a sum is written step by step", "[ledger_smollm2]") {
  CHECK(text_of(make_statement(25, std::vector<int>{6, 5})) == "Total 25+6=31+5=36.");
  CHECK(text_of(make_statement(7, std::vector<int>{})) == "Total 07.");
}

TEST_CASE("a sum is read as it is written, right or wrong", "[ledger_smollm2]") {
  const auto read = read_statement("Total 47+3=40+9=49. Next is John.");
  REQUIRE(read);
  CHECK(read->statement.carried == 47);
  REQUIRE(read->statement.items.size() == 2);
  CHECK(read->statement.items[0].amount == 3);
  CHECK(read->statement.items[0].total == 40);
  CHECK(read->statement.last() == 49);
  CHECK(read->length == 19);
  CHECK(read_statement("Total 64.")->statement.last() == 64);
  for (const char* text : {"", "Total", "Total 6.", "Total 64", "Total 64+.", "Total 64+3.",
                           "Total 64+3=7.", "Total 64+3=67", "Total 64+12=76.", "total 64.",
                           "Total  64.", "Visited Luke. Next is John."}) {
    INFO(text);
    CHECK_FALSE(read_statement(text));
  }
}
