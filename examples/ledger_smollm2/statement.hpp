#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "debts.hpp"

/// The sum that notes and answers write: "Total 25+6=31+5=36."
namespace ledger_smollm2 {

struct Statement {
  struct Item {
    int amount = 0;
    int total = 0;  ///< as it is written, right or wrong
  };
  int carried = 0;  ///< what the sum begins with
  std::vector<Item> items = {};

  int last() const { return items.empty() ? carried : items.back().total; }
};

/// Adds `amounts` to `carried`.
template <class Amounts>
Statement make_statement(int carried, const Amounts& amounts) {
  Statement made{.carried = carried};
  for (const int amount : amounts) made.items.push_back({amount, made.last() + amount});
  return made;
}

inline std::string text_of(const Statement& statement) {
  std::string text = "Total " + two_digits(statement.carried);
  for (const Statement::Item& item : statement.items)
    text += "+" + std::to_string(item.amount) + "=" + two_digits(item.total);
  return text + ".";
}

/// Where a statement begins `text`: it, and `length`, its bytes. Nothing where none does.
struct ReadStatement {
  Statement statement;
  std::size_t length = 0;
};

inline std::optional<ReadStatement> read_statement(std::string_view text) {
  std::size_t at = 0;
  const auto literal = [&](std::string_view wanted) {
    if (!text.substr(at).starts_with(wanted)) return false;
    at += wanted.size();
    return true;
  };
  const auto number = [&](std::size_t digits) -> std::optional<int> {
    int value = 0;
    for (std::size_t end = at + digits; at < end; ++at) {
      if (at >= text.size() || text[at] < '0' || text[at] > '9') return std::nullopt;
      value = 10 * value + (text[at] - '0');
    }
    return value;
  };
  ReadStatement read;
  if (!literal("Total ")) return std::nullopt;
  const std::optional<int> carried = number(2);
  if (!carried) return std::nullopt;
  read.statement.carried = *carried;
  while (literal("+")) {
    const std::optional<int> amount = number(1);
    const std::optional<int> total = amount && literal("=") ? number(2) : std::nullopt;
    if (!total) return std::nullopt;
    read.statement.items.push_back({*amount, *total});
  }
  if (!literal(".")) return std::nullopt;
  read.length = at;
  return read;
}

}  // namespace ledger_smollm2
