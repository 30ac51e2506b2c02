#pragma once

#include "book_dialect.hpp"
#include "books.hpp"
#include "quickstart/rows.hpp"

namespace two_books {

/// How the episodes are played.
inline auto make_protocol(const quickstart::Data& data) {
  return dualagent::Protocol{BookDialect{},
                             dualagent::ToolBox{OpenBook{}, BookLookup{.ledger = data.ledger}},
                             dualagent::TokenBudget{.max_tokens = quickstart::Difficulty{}.budget},
                             dualagent::ReplaceBySummary{},
                             dualagent::RolloutLimits{.max_context_tokens = quickstart::kWindow}};
}

}  // namespace two_books
