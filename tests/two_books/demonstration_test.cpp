#include "two_books/demonstration.hpp"

#include <variant>

#include "quickstart/ledger_dialect.hpp"
#include "support/catch.hpp"

using namespace dualagent;
using namespace two_books;

TEST_CASE("demonstrators err as often as they were measured to", "[two_books]") {
  // Of 4,000 demonstrations of an independent program with these parameters: right book 39.6 %,
  // total of the opened book 50.5 %, success 20.8 %.
  std::size_t right = 0, own = 0, solved = 0, longest = 0;
  const Sloppiness sloppiness{.opens_general = 0.60,
                              .afterwards = {.forgets = 0.25, .stops_early = 0.10}};
  for (std::uint64_t i = 0; i < 4000; ++i) {
    const RandomStream random = RandomStream::from_seed(77).child(i);
    const Problem problem = make_problem({}, random.child(0));
    const std::size_t book = choose_book(problem, sloppiness, random);
    const auto segments = demonstrate_in(problem, book, {}, sloppiness.afterwards, random).play();
    for (const Segment& segment : segments) longest = std::max(longest, segment.context.size());
    const Context& last = segments.back().context;
    const Turn turn = quickstart::LedgerDialect{}.parse_turn(last.tokens(last.spans().back()));
    REQUIRE(std::holds_alternative<Answer>(turn));
    const std::string answer = std::get<Answer>(turn).text;
    right += book == problem.right_book;
    own += answer == quickstart::two_digits(problem.trails[book].total());
    solved += answer == quickstart::two_digits(problem.right().total());
  }
  CHECK(static_cast<double>(right) / 4000.0 ==
        Approx(0.396).margin(0.024));  // three standard errors
  CHECK(static_cast<double>(own) / 4000.0 ==
        Approx(0.505).margin(0.034));  // of a difference of two samples
  CHECK(static_cast<double>(solved) / 4000.0 == Approx(0.208).margin(0.028));
  CHECK(longest <= 136);
}
