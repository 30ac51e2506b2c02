#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dualagent/report/result_row.hpp"
#include "dualagent/trace/rollout.hpp"
#include "ledger_dialect.hpp"
#include "trail.hpp"
#include "vocabulary.hpp"

namespace quickstart {

/// Kinds of failure, in the order of the table.
inline constexpr std::array<std::string_view, 6> kFailureKinds{
    "malformed turn or summary", "limit met",   "answered early",
    "total not carried on",      "wrong total", "aborted"};

namespace detail {

/// A two-digit number at the beginning of `tokens`; nothing if there is none.
inline std::optional<int> leading_number(std::span<const dualagent::Token> tokens) {
  if (tokens.size() < 2) return std::nullopt;
  const auto tens = vocabulary::digit(tokens[0]);
  const auto ones = vocabulary::digit(tokens[1]);
  if (!tens || !ones) return std::nullopt;
  return 10 * *tens + *ones;
}

/// The total with which a summary ends: the two tokens before "</summary>".
inline std::optional<int> closing_number(std::span<const dualagent::Token> summary) {
  if (summary.size() < 5) return std::nullopt;
  return leading_number(summary.subspan(summary.size() - 3));
}

/// What the rollout shows of how the trail was followed.
struct Conduct {
  std::set<char> pages;  ///< that were looked up
  bool forgot = false;   ///< a statement did not begin with the total of the summary before it
};

inline Conduct observe(const dualagent::Rollout& rollout) {
  Conduct conduct;
  std::optional<int> carried;
  for (const dualagent::Segment& segment : rollout.segments)
    for (const dualagent::Span& span : segment.context.spans()) {
      if (!span.is_sampled()) continue;
      const auto said = segment.context.tokens(span);
      if (said.front() == vocabulary::call_begin && said.size() > 1)
        conduct.pages.insert(vocabulary::text(said[1])[0]);
      if (said.front() != vocabulary::summary_begin && said.front() != vocabulary::answer_begin)
        continue;
      const auto statement = said.subspan(std::min(carried_total_at(said), said.size()));
      if (carried && leading_number(statement) != carried) conduct.forgot = true;
      if (said.front() == vocabulary::summary_begin) carried = closing_number(said);
    }
  return conduct;
}

}  // namespace detail

/// Why a rollout that was not rewarded failed; the first kind that fits.
inline std::string_view failure_kind(const dualagent::Rollout& rollout, const Trail& trail) {
  using dualagent::RolloutStatus;
  if (rollout.status == RolloutStatus::aborted) return kFailureKinds[5];
  if (rollout.status == RolloutStatus::truncated) return kFailureKinds[1];
  if (!rollout.answer) return kFailureKinds[0];
  const detail::Conduct conduct = detail::observe(rollout);
  for (const Entry& entry : trail.entries)
    if (!conduct.pages.contains(entry.page)) return kFailureKinds[2];
  return conduct.forgot ? kFailureKinds[3] : kFailureKinds[4];
}

/// Failures among rollouts of these trails, kinds without any included.
inline std::vector<dualagent::FailureCount> count_failure_kinds(
    std::span<const dualagent::Rollout> rollouts, std::span<const Trail> trails) {
  std::vector<dualagent::FailureCount> counts;
  for (const std::string_view kind : kFailureKinds) counts.push_back({std::string(kind), 0});
  for (std::size_t i = 0; i < rollouts.size(); ++i) {
    if (rollouts[i].reward > 0.5) continue;
    const std::string_view kind = failure_kind(rollouts[i], trails[i]);
    for (dualagent::FailureCount& count : counts) count.count += count.kind == kind ? 1 : 0;
  }
  return counts;
}

}  // namespace quickstart
