#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "dualagent/core/random.hpp"
#include "dualagent/trace/rollout.hpp"
#include "quickstart/trail.hpp"

/// The ledger trail with a choice at its beginning that nothing but the outcome judges: which book
/// to open. Every book has the same pages, with amounts of its own.
namespace two_books {

using dualagent::RandomStream;

/// Sales, dues, general; the general book is never the right one.
inline constexpr std::string_view kBooks = "sdg";
inline constexpr std::size_t kGeneralBook = 2;

/// The number of a book by its letter; nothing for any other text.
inline std::optional<std::size_t> book_number(std::string_view letter) {
  if (letter.size() != 1) return std::nullopt;
  const std::size_t number = kBooks.find(letter);
  if (number == std::string_view::npos) return std::nullopt;
  return number;
}

struct Problem {
  std::size_t right_book = 0;               ///< 0 for "sum", 1 for "due"
  std::array<quickstart::Trail, 3> trails;  ///< by book

  const quickstart::Trail& right() const { return trails[right_book]; }
};

/// A random problem: the totals of the wrong books differ from the right one.
inline Problem make_problem(const quickstart::Difficulty& difficulty, const RandomStream& random) {
  Problem problem;
  problem.right_book = random.below(0, 2);
  problem.trails.fill(quickstart::make_trail(difficulty, random.child(0)));
  for (std::size_t book = 0; book < kBooks.size(); ++book) {
    if (book == problem.right_book) continue;
    quickstart::Trail& trail = problem.trails[book];
    const RandomStream amounts = random.child(1 + book);
    for (std::uint64_t draw = 0; trail.total() == problem.right().total();)
      for (quickstart::Entry& entry : trail.entries)
        entry.amount = static_cast<int>(quickstart::Range{1, 5}.draw(amounts, draw++));
  }
  return problem;
}

/// "sum:T+25?" or "due:T+25?"; the call that opens a book comes on top of the calls for pages.
inline dualagent::Task make_task(const Problem& problem, std::string id, std::uint64_t seed) {
  dualagent::Task task = quickstart::make_task(problem.right(), std::move(id), seed);
  task.prompt.replace(0, 3, problem.right_book == 0 ? "sum" : "due");
  ++*task.max_calls;
  return task;
}

/// The book that an episode opened: the first thing its Answerer said, if that was such a call.
inline std::optional<std::size_t> opened_book(const dualagent::Rollout& rollout) {
  if (rollout.segments.empty()) return std::nullopt;
  const dualagent::Context& context = rollout.segments.front().context;
  for (const dualagent::Span& span : context.spans()) {
    if (!span.is_sampled()) continue;
    const auto said = context.tokens(span);
    if (said.size() != 3 || said[0] != quickstart::vocabulary::call_begin ||
        said[2] != quickstart::vocabulary::call_end)
      return std::nullopt;
    return book_number(quickstart::vocabulary::text(said[1]));
  }
  return std::nullopt;
}

inline bool opened_right_book(const dualagent::Rollout& rollout, const Problem& problem) {
  return opened_book(rollout) == problem.right_book;
}

/// The answer is right for the book that was opened, right or wrong.
inline bool has_own_total(const dualagent::Rollout& rollout, const Problem& problem) {
  const std::optional<std::size_t> book = opened_book(rollout);
  return book && rollout.answer &&
         *rollout.answer == quickstart::two_digits(problem.trails[*book].total());
}

}  // namespace two_books
