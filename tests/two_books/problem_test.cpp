#include "two_books/problem.hpp"

#include <set>

#include "support/catch.hpp"
#include "two_books/book_dialect.hpp"

using namespace dualagent;
using namespace two_books;
namespace vocabulary = quickstart::vocabulary;

namespace {

const RandomStream random_stream = RandomStream::from_seed(3);

/// An episode whose Answerer first said `said` and in the end answered `answer`.
Rollout saying(std::vector<Token> said, std::optional<std::string> answer = {}) {
  Rollout rollout;
  rollout.turns = 1;
  rollout.answer = std::move(answer);
  Context& context = rollout.segments.emplace_back().context;
  context.append(Provenance::prompt, std::vector<Token>{1, 2});
  const std::vector<float> log_probs(said.size(), -1.0F);
  context.append(BackendAccess::sampled(AgentRole::answerer, 0, std::move(said), log_probs));
  return rollout;
}
std::vector<Token> call(char letter) {
  return {vocabulary::call_begin, vocabulary::token(letter), vocabulary::call_end};
}

}  // namespace

TEST_CASE("all books have the same pages, and the wrong ones another total", "[two_books]") {
  std::set<std::size_t> right;
  for (std::uint64_t i = 0; i < 300; ++i) {
    const Problem problem = make_problem({}, random_stream.child(i));
    right.insert(problem.right_book);
    for (std::size_t book = 0; book < 3; ++book) {
      const quickstart::Trail& trail = problem.trails[book];
      REQUIRE(trail.entries.size() == problem.right().entries.size());
      CHECK(trail.opening == problem.right().opening);
      for (std::size_t e = 0; e < trail.entries.size(); ++e) {
        CHECK(trail.entries[e].page == problem.right().entries[e].page);
        CHECK(trail.entries[e].next == problem.right().entries[e].next);
      }
      if (book != problem.right_book) CHECK(trail.total() != problem.right().total());
    }
  }
  CHECK(right == std::set<std::size_t>{0, 1});  // never the general book
}

TEST_CASE("a task says which book is asked for", "[two_books]") {
  for (std::uint64_t i = 0; i < 20; ++i) {
    const Problem problem = make_problem({}, random_stream.child(i));
    const Task task = make_task(problem, "a", 1);
    CHECK(task.prompt.substr(0, 4) == (problem.right_book == 0 ? "sum:" : "due:"));
    CHECK(task.answer == quickstart::two_digits(problem.right().total()));
    CHECK(*task.max_calls == problem.right().entries.size() + 4);
  }
}

TEST_CASE("an episode is scored by the book it opened", "[two_books]") {
  Problem problem = make_problem({}, random_stream);
  problem.right_book = 1;
  const std::string general = quickstart::two_digits(problem.trails[2].total());
  CHECK(opened_book(saying(call('s'))) == 0U);
  CHECK(opened_right_book(saying(call('d')), problem));
  CHECK(!opened_right_book(saying(call('g')), problem));
  CHECK(!opened_book(saying(call('K'))));
  CHECK(!opened_book(saying({vocabulary::call_begin})));
  CHECK(has_own_total(saying(call('g'), general), problem));
  CHECK(!has_own_total(saying(call('g'), "xx"), problem));
  CHECK(!has_own_total(saying(call('g')), problem));
  CHECK(!has_own_total(saying(call('K'), general), problem));
}

TEST_CASE("the first turn opens a book, and no other", "[two_books]") {
  const BookDialect dialect;
  const Rollout first = saying(call('d'));
  Turn turn = dialect.parse_turn(call('d'), first);
  CHECK(std::get<std::vector<ToolCall>>(turn).front().tool == "open");
  CHECK(std::get<std::vector<ToolCall>>(turn).front().arguments == R"({"book":"d"})");
  CHECK(std::holds_alternative<MalformedTurn>(dialect.parse_turn(call('K'), saying(call('K')))));
  Rollout later = first;
  later.turns = 3;
  turn = dialect.parse_turn(call('K'), later);
  CHECK(std::get<std::vector<ToolCall>>(turn).front().tool == "lookup");
  CHECK(std::get<std::vector<ToolCall>>(turn).front().arguments == R"({"page":"K","book":"d"})");
  CHECK(std::holds_alternative<MalformedTurn>(dialect.parse_turn(call('s'), later)));
}
