#pragma once

#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "dualagent/text/dialect.hpp"
#include "problem.hpp"
#include "quickstart/ledger_dialect.hpp"

namespace two_books {

/// The ledger's dialect with an opening call:
///
///   prompt   <bos> (s u m | d u e) : T + 2 5 ?
///   opening  <tool_call> (s | d | g) </tool_call>     the first turn, and no other
///   reply    <obs> o k </obs>
///
/// All else as in LedgerDialect. A later call names the opened book to the tool, which the agent
/// does not write and, after a summary, no longer sees.
struct BookDialect : quickstart::LedgerDialect {
  dualagent::StopRule turn_stop() const {
    dualagent::StopRule rule = LedgerDialect::turn_stop();
    std::vector<dualagent::Token> words = pages();
    for (const char book : kBooks) words.push_back(quickstart::vocabulary::token(book));
    rule.stop_early = turn_like(std::move(words));
    return rule;
  }

  /// A turn on its own: an opening call, or what a ledger's turn can be.
  dualagent::Turn parse_turn(std::span<const dualagent::Token> turn) const {
    if (!opens_book(turn)) return LedgerDialect::parse_turn(turn);
    return std::vector<dualagent::ToolCall>{
        {"open", R"({"book":")" + quickstart::vocabulary::text(turn[1]) + R"("})"}};
  }

  dualagent::Turn parse_turn(std::span<const dualagent::Token> turn,
                             const dualagent::Rollout& rollout) const {
    const bool first = rollout.turns <= 1;
    if (opens_book(turn) != first)
      return dualagent::MalformedTurn{first ? "the first turn opens a book"
                                            : "the book is open already"};
    dualagent::Turn parsed = parse_turn(turn);
    auto* const calls = std::get_if<std::vector<dualagent::ToolCall>>(&parsed);
    const std::optional<std::size_t> book = opened_book(rollout);
    if (first || calls == nullptr || !book) return parsed;
    calls->front().arguments = R"({"page":")" + quickstart::vocabulary::text(turn[1]) +
                               R"(","book":")" + kBooks[*book] + R"("})";
    return parsed;
  }

 private:
  static bool names_book(dualagent::Token token) {
    return book_number(quickstart::vocabulary::text(token)).has_value();
  }
  static bool opens_book(std::span<const dualagent::Token> turn) {
    using namespace quickstart::vocabulary;
    return turn.size() == 3 && turn[0] == call_begin && names_book(turn[1]) && turn[2] == call_end;
  }
};
static_assert(dualagent::ToolDialect<BookDialect>);

}  // namespace two_books
