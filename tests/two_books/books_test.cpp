#include "two_books/books.hpp"

#include "support/catch.hpp"

using namespace dualagent;
using namespace two_books;

TEST_CASE("a lookup reads the opened book", "[two_books]") {
  const Problem problem = make_problem({}, RandomStream::from_seed(5));
  const Task task = make_task(problem, "t", 9);
  quickstart::Ledger ledger;
  add_books(ledger, "t", problem);
  const BookLookup lookup{.ledger = std::make_shared<const quickstart::Ledger>(std::move(ledger))};
  const CallInfo info{&task, 1};
  for (std::size_t book = 0; book < 3; ++book)
    for (const quickstart::Entry& entry : problem.trails[book].entries) {
      const std::string text =
          lookup({std::string(1, entry.page), std::string(1, kBooks[book])}, info);
      const std::string expected =
          std::string(1, entry.page) + "=" + std::to_string(entry.amount) + ">" + entry.next;
      CHECK(text.substr(text.size() - expected.size()) == expected);
    }
  CHECK_THROWS_WITH(lookup({"AB", "s"}, info), ContainsSubstring("one letter"));
  CHECK_THROWS_WITH(lookup({"A", "x"}, info), ContainsSubstring("no such book"));
  CHECK(OpenBook{}({"g"}, info) == "ok");
}
