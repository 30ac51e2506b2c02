#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "debts.hpp"
#include "dualagent/report/result_row.hpp"
#include "dualagent/text/tokenizer.hpp"
#include "dualagent/trace/rollout.hpp"
#include "statement.hpp"

namespace ledger_smollm2 {

/// Kinds of failure, in the order of the table; a rollout counts for the first that fits.
inline constexpr std::array<std::string_view, 8> kFailureKinds{
    "malformed turn or note", "limit met",    "answered early", "a note without a total",
    "another total carried",  "debt misread", "wrong addition", "aborted"};

/// What the sums of a rollout show.
struct Sums {
  std::set<std::string> people = {};  ///< that were looked up
  std::size_t notes = 0, notes_with_total = 0;
  std::size_t additions = 0, wrong_additions = 0;
  bool other_total = false;  ///< a statement does not begin with the total before it
  bool misread = false;      ///< a statement has other debts than its window shows
};

namespace detail {

/// Counts one statement, whose window shows the debts `shown`.
inline void count_statement(const Statement& statement, std::span<const int> shown, int carried,
                            Sums& sums) {
  sums.other_total = sums.other_total || statement.carried != carried;
  bool same = statement.items.size() == shown.size();
  int total = statement.carried;
  for (std::size_t i = 0; i < statement.items.size(); ++i) {
    const Statement::Item& item = statement.items[i];
    same = same && item.amount == shown[i];
    ++sums.additions;
    sums.wrong_additions += item.total != total + item.amount ? 1 : 0;
    total = item.total;
  }
  sums.misread = sums.misread || !same;
}

}  // namespace detail

/// Reads the sums of a rollout in which `chain` was followed.
template <dualagent::Tokenizer Tokenizer>
Sums read_sums(const dualagent::Rollout& rollout, const Chain& chain, const Tokenizer& tokenizer) {
  Sums sums;
  int carried = chain.opening;
  for (const dualagent::Segment& segment : rollout.segments) {
    std::vector<int> shown;  // amounts of the lookups that this window shows
    for (const dualagent::Span& span : segment.context.spans()) {
      const bool answerer = span.agent == dualagent::AgentRole::answerer;
      if (!span.is_sampled() && !(span.provenance == dualagent::Provenance::action && answerer))
        continue;
      const std::string said = dualagent::decode(tokenizer, segment.context.tokens(span));
      for (const Debt& debt : chain.debts)
        if (answerer && said == "lookup " + debt.name + ".") {
          shown.push_back(debt.amount);
          sums.people.insert(debt.name);
        }
      if (!span.is_sampled() || said.starts_with("lookup ")) continue;
      sums.notes += answerer ? 0 : 1;
      const std::optional<ReadStatement> read = read_statement(said);
      if (!read) continue;
      sums.notes_with_total += answerer ? 0 : 1;
      detail::count_statement(read->statement, shown, carried, sums);
      carried = read->statement.last();
    }
  }
  return sums;
}

/// Why a rollout that was not rewarded failed.
inline std::string_view failure_kind(const dualagent::Rollout& rollout, const Chain& chain,
                                     const Sums& sums) {
  using dualagent::RolloutStatus;
  if (rollout.status == RolloutStatus::aborted) return kFailureKinds[7];
  if (rollout.status == RolloutStatus::truncated) return kFailureKinds[1];
  if (!rollout.answer) return kFailureKinds[0];
  for (const Debt& debt : chain.debts)
    if (!sums.people.contains(debt.name)) return kFailureKinds[2];
  if (sums.notes_with_total < sums.notes) return kFailureKinds[3];
  if (sums.other_total) return kFailureKinds[4];
  return sums.misread ? kFailureKinds[5] : kFailureKinds[6];
}

/// What a set of rollouts shows; `rollouts[i]` followed `chains[i]`.
struct Verdict {
  dualagent::Proportion solved = {};
  std::vector<dualagent::FailureCount> failures = {};  ///< kinds without any included
  std::size_t additions = 0, wrong_additions = 0;
  std::size_t notes = 0, notes_with_total = 0;
};

template <dualagent::Tokenizer Tokenizer>
Verdict judge(std::span<const dualagent::Rollout> rollouts, std::span<const Chain> chains,
              const Tokenizer& tokenizer) {
  Verdict verdict;
  for (const std::string_view kind : kFailureKinds)
    verdict.failures.push_back({std::string(kind), 0});
  for (std::size_t i = 0; i < rollouts.size(); ++i) {
    const Sums sums = read_sums(rollouts[i], chains[i], tokenizer);
    verdict.additions += sums.additions;
    verdict.wrong_additions += sums.wrong_additions;
    verdict.notes += sums.notes;
    verdict.notes_with_total += sums.notes_with_total;
    ++verdict.solved.trials;
    if (rollouts[i].reward > 0.5) {
      ++verdict.solved.successes;
      continue;
    }
    const std::string_view kind = failure_kind(rollouts[i], chains[i], sums);
    for (dualagent::FailureCount& count : verdict.failures) count.count += count.kind == kind;
  }
  return verdict;
}

}  // namespace ledger_smollm2
