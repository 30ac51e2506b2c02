#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dualagent/core/random.hpp"
#include "dualagent/data/task.hpp"

/// The problem: follow a chain of people who owe coins, and add up their debts.
namespace ledger_smollm2 {

using dualagent::RandomStream;

/// Names that SmolLM2's tokenizer writes as one token, at the beginning of a text and after a
/// space.
inline constexpr std::array<std::string_view, 48> kPeople{
    "Anna",   "Bob",    "Paul",    "Mary",    "John",    "Tom",    "Ben",     "Sam",
    "Rose",   "Jack",   "Alice",   "Peter",   "Mark",    "Luke",   "Henry",   "George",
    "Frank",  "Carl",   "Max",     "Sarah",   "David",   "James",  "Robert",  "Adam",
    "Simon",  "Martin", "Victor",  "Michael", "William", "Thomas", "Charles", "Edward",
    "Arthur", "Daniel", "Andrew",  "Chris",   "Jim",     "Bill",   "Maria",   "Anne",
    "Jane",   "Alex",   "Richard", "Stephen", "Matthew", "Joseph", "Samuel",  "Scott"};
inline constexpr std::array<std::string_view, 6> kThings{"apples",  "books",  "letters",
                                                         "candles", "horses", "keys"};
inline constexpr std::string_view kNobody = "nobody";  ///< is next after the last person

/// What looking up one person says.
struct Debt {
  std::string name = {};
  int amount = 0;         ///< 1 to 9 coins
  std::string next = {};  ///< whom to look up then, or kNobody
  std::string text = {};  ///< "Luke has 6 letters and owes 5 coins. Next is John."
};

struct Chain {
  int opening = 0;
  std::vector<Debt> debts = {};

  int total() const {
    int sum = opening;
    for (const Debt& debt : debts) sum += debt.amount;
    return sum;
  }
};

inline std::string two_digits(int value) {
  return {static_cast<char>('0' + value / 10 % 10), static_cast<char>('0' + value % 10)};
}

/// One of three sentences: the debt alone, or beside a number that does not count.
inline std::string sentence(const Debt& debt, const RandomStream& random) {
  const std::string owes = "owes " + std::to_string(debt.amount) + " coins";
  const std::string things = std::to_string(2 + random.below(0, 8)) + " " +
                             std::string(kThings[random.below(1, kThings.size())]);
  const double kind = random.uniform(2);
  if (kind < 0.2) return debt.name + " " + owes + ".";
  if (kind < 0.6) return debt.name + " has " + things + " and " + owes + ".";
  return debt.name + " " + owes + " but lost " + things + ".";
}

/// 6 or 7 people, an opening balance from 10 to 36: a total of at most 99.
inline Chain make_chain(const RandomStream& random) {
  Chain chain{.opening = 10 + static_cast<int>(random.below(0, 27))};
  const std::size_t length = 6 + random.below(1, 2);
  std::array<std::string_view, kPeople.size()> people = kPeople;
  dualagent::shuffle(std::span<std::string_view>(people), random.child(0));
  for (std::size_t i = 0; i < length; ++i) {
    const RandomStream own = random.child(1 + i);
    Debt debt{.name = std::string(people[i]),
              .amount = 1 + static_cast<int>(own.below(0, 9)),
              .next = std::string(i + 1 < length ? people[i + 1] : kNobody)};
    debt.text = sentence(debt, own.child(0)) + " Next is " + debt.next + ".";
    chain.debts.push_back(std::move(debt));
  }
  return chain;
}

/// Calls beyond the people of the chain that an episode may make.
inline constexpr std::size_t kSpareCalls = 2;

/// "Start with 25, then look up David.": the length of the chain is not told.
inline dualagent::Task make_task(const Chain& chain, std::string id) {
  return {.id = std::move(id),
          .prompt = "Start with " + two_digits(chain.opening) + ", then look up " +
                    chain.debts.front().name + ".",
          .answer = two_digits(chain.total()),
          .max_calls = chain.debts.size() + kSpareCalls};
}

}  // namespace ledger_smollm2
