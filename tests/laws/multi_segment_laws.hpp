#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "dualagent/objective/aggregation.hpp"
#include "dualagent/rollout/protocol.hpp"
#include "dualagent/summary/view.hpp"
#include "dualagent/train/training_rows.hpp"
#include "support/witness_model.hpp"

/// The multi-segment contract as checks for any rollouts and any training view.
///
/// (a) one reward and one baseline entry per rollout; its advantage is copied to its segments
/// (b) every sampled token is trained at most once; its copy inside a later prompt is given
/// (c) log-probabilities are evaluated in the segment's own context
/// (d) the weight of a token is an explicit policy
/// (e) a truncated rollout keeps its place in group statistics
/// (f) an aborted rollout leaves the group's statistics and the batch
/// (g) tokens, masks, log-probabilities and versions have one length
/// (h) segments are grouped by rollout before they are assigned to ranks and minibatches
/// (i) triggers and limits are identical within a group
///
/// Every check returns one sentence per violation, beginning with the law's letter; none is good.
namespace laws {

namespace da = dualagent;
using Violations = std::vector<std::string>;

inline std::string name_of(const da::Rollout& rollout) {
  return "group " + std::to_string(rollout.group) + " member " + std::to_string(rollout.member);
}

namespace detail {

inline void check_spans(const da::Context& context, const std::string& where, Violations& found) {
  if (context.log_probs().size() != context.size())
    found.push_back("g: " + where + " has another number of log-probabilities than of tokens");
  std::size_t next = 0;
  for (const da::Span& span : context.spans()) {
    if (span.begin != next || span.size == 0)
      found.push_back("g: " + where + " has a gap, an overlap or an empty span");
    next = span.end();
    for (std::size_t t = span.begin; t < span.end() && t < context.size(); ++t)
      if (!span.is_sampled() && context.log_probs()[t] != 0.0F)
        found.push_back("b: a given token of " + where + " has a log-probability");
  }
  if (next != context.size()) found.push_back("g: spans of " + where + " do not cover it");
}

inline void check_segment(const da::Rollout& rollout, std::size_t index, const std::string& where,
                          Violations& found) {
  const da::Segment& segment = rollout.segments[index];
  const auto spans = segment.context.spans();
  if (segment.parent.has_value() != (index > 0) || (segment.parent && *segment.parent >= index))
    found.push_back("a: " + where + " does not hang in the tree");
  if (spans.empty() || spans[0].is_sampled())
    found.push_back("b: " + where + " does not begin with given tokens");
  for (const da::Span& span : spans)
    if (span.is_sampled() && segment.owner == da::AgentRole::summarizer &&
        span.agent != da::AgentRole::summarizer)
      found.push_back("b: the Answerer's turn is sampled again in the window of " + where);
}

}  // namespace detail

/// (a), (b), (g) as far as a rollout alone shows them. `group_size` rollouts of each group.
inline Violations of_rollouts(std::span<const da::Rollout> rollouts, std::size_t group_size) {
  Violations found;
  std::map<std::size_t, std::set<std::size_t>> members;
  for (const da::Rollout& rollout : rollouts) {
    if (!members[rollout.group].insert(rollout.member).second)
      found.push_back("a: " + name_of(rollout) + " exists twice");
    if (!std::isfinite(rollout.reward))
      found.push_back("a: the reward of " + name_of(rollout) + " is not finite");
    for (std::size_t s = 0; s < rollout.segments.size(); ++s) {
      const std::string where = name_of(rollout) + " segment " + std::to_string(s);
      detail::check_spans(rollout.segments[s].context, where, found);
      detail::check_segment(rollout, s, where, found);
    }
  }
  for (const auto& [group, of_group] : members)
    if (of_group.size() != group_size)
      found.push_back("e: group " + std::to_string(group) + " has " +
                      std::to_string(of_group.size()) + " rollouts");
  return found;
}

/// One row per segment with trained tokens, aborted rollouts left out; advantage i + 1 for rollout
/// i, so that a mixed-up advantage shows.
template <da::TrainingView View>
da::PackedBatch pack(std::span<const da::Rollout> rollouts, const View& view) {
  da::PackedBatch batch;
  for (std::size_t i = 0; i < rollouts.size(); ++i) {
    for (std::size_t s = 0; s < rollouts[i].segments.size(); ++s)
      da::append_training_row(
          batch, rollouts[i].segments[s],
          [&](const da::Span& span) { return da::is_trained(view, rollouts[i], s, span); },
          {.advantage = static_cast<float>(i + 1), .rollout = static_cast<std::uint32_t>(i)});
  }
  return batch;
}

/// (g) and the first token of every row.
inline Violations of_batch(const da::PackedBatch& batch) {
  Violations found;
  const std::size_t size = batch.tokens.size();
  if (batch.loss_weight.size() != size || batch.old_log_prob.size() != size ||
      batch.advantage.size() != size || batch.row_begin.back() != size ||
      batch.rollout.size() + 1 != batch.row_begin.size())
    return {"g: the columns of a batch have different lengths"};
  for (std::size_t r = 0; r < batch.rows(); ++r) {
    if (batch.row_size(r) == 0)
      found.push_back("g: row " + std::to_string(r) + " is empty");
    else if (batch.loss_weight[batch.row_begin[r]] != 0.0F)
      found.push_back("c: the first token of row " + std::to_string(r) + " is trained");
  }
  return found;
}

/// (a), (b), (c), (g) for rows that `pack` or a trainer made: trained tokens are recognised by
/// their serial numbers and compared with what the models remember of sampling them.
///
/// Every rollout's advantage must be one number; returns in `times` how often each was trained.
inline Violations of_rows(std::span<const da::PackedBatch> batches,
                          std::span<const WitnessModel* const> models,
                          std::map<std::size_t, std::size_t>& times) {
  Violations found;
  const auto witness = [&](std::size_t serial) -> const Witness* {
    for (const WitnessModel* model : models)
      if (serial >= model->first_serial() &&
          serial - model->first_serial() < model->sampled().size())
        return &model->sampled()[serial - model->first_serial()];
    return nullptr;
  };
  for (const da::PackedBatch& batch : batches) {
    for (std::string& violation : of_batch(batch)) found.push_back(std::move(violation));
    std::map<std::uint32_t, float> advantage;
    for (std::size_t r = 0; r < batch.rows(); ++r)
      for (std::size_t t = batch.row_begin[r]; t < batch.row_begin[r + 1]; ++t) {
        if (batch.loss_weight[t] == 0.0F) continue;
        const auto serial = static_cast<std::size_t>(-batch.old_log_prob[t]);
        const std::string where = "token " + std::to_string(serial);
        const Witness* seen = witness(serial);
        if (seen == nullptr || seen->token != batch.tokens[t]) {
          found.push_back("b: no model sampled the trained " + where);
          continue;
        }
        if (++times[serial] > 1) found.push_back("b: " + where + " is trained twice");
        if (!std::equal(seen->context.begin(), seen->context.end(),
                        batch.tokens.begin() + static_cast<std::ptrdiff_t>(batch.row_begin[r]),
                        batch.tokens.begin() + static_cast<std::ptrdiff_t>(t)))
          found.push_back("c: " + where + " is not trained in the context it was sampled in");
        const auto [known, first] = advantage.emplace(batch.rollout[r], batch.advantage[t]);
        if (!first && known->second != batch.advantage[t])
          found.push_back("a: rollout " + std::to_string(batch.rollout[r]) + " has two advantages");
      }
  }
  return found;
}

/// (d): the weights that an aggregation gives to the trained tokens of `batch` sum to 1.
template <da::Aggregation Aggregation>
Violations of_aggregation(const da::PackedBatch& batch, const Aggregation& aggregation) {
  std::map<std::uint32_t, double> rollout_tokens;
  std::vector<double> row_tokens(batch.rows(), 0.0);
  da::TokenCounts counts;
  for (std::size_t r = 0; r < batch.rows(); ++r) {
    for (std::size_t t = batch.row_begin[r]; t < batch.row_begin[r + 1]; ++t)
      row_tokens[r] += batch.loss_weight[t] != 0.0F ? 1.0 : 0.0;
    rollout_tokens[batch.rollout[r]] += row_tokens[r];
    counts.tokens += row_tokens[r];
    counts.segments += row_tokens[r] > 0 ? 1.0 : 0.0;
  }
  for (const auto& [rollout, tokens] : rollout_tokens) counts.rollouts += tokens > 0 ? 1.0 : 0.0;
  double sum = 0;
  for (std::size_t r = 0; r < batch.rows(); ++r) {
    counts.rollout_tokens = rollout_tokens[batch.rollout[r]];
    counts.segment_tokens = row_tokens[r];
    if (row_tokens[r] > 0) sum += row_tokens[r] * aggregation.weight(counts);
  }
  if (std::abs(sum - 1.0) < 1e-9) return {};
  return {"d: the weights of a minibatch sum to " + std::to_string(sum)};
}

/// (h): whatever a batch trains of a rollout is all that is trained of it.
///
/// `rollouts` are those that `batch.rollout` counts; only for the view AllSegments and a pair with
/// shared weights, where one batch holds the tokens of both agents.
inline Violations of_assignment(const da::PackedBatch& batch,
                                std::span<const da::Rollout> rollouts) {
  std::map<std::uint32_t, std::size_t> trained;
  for (std::size_t r = 0; r < batch.rows(); ++r)
    for (std::size_t t = batch.row_begin[r]; t < batch.row_begin[r + 1]; ++t)
      trained[batch.rollout[r]] += batch.loss_weight[t] != 0.0F ? 1 : 0;
  Violations found;
  for (const auto& [rollout, tokens] : trained)
    if (rollout >= rollouts.size() || tokens != da::count_sampled(rollouts[rollout]))
      found.push_back("h: a minibatch holds a part of rollout " + std::to_string(rollout));
  return found;
}

namespace detail {

/// What followed an observation of the Answerer's window.
enum class Next { turn, summary, end };

inline Next next_after(const da::Rollout& rollout, std::size_t segment, std::size_t span) {
  const auto spans = rollout.segments[segment].context.spans();
  if (span + 1 < spans.size())
    return spans[span + 1].provenance == da::Provenance::injected ? Next::summary : Next::turn;
  for (std::size_t later = segment + 1; later < rollout.segments.size(); ++later)
    if (rollout.segments[later].parent == segment) return Next::summary;
  return Next::end;
}

inline bool met_limit(const da::Rollout& rollout) {
  return rollout.status == da::RolloutStatus::truncated;
}

/// Replays the trigger after each own observation of one window.
template <class Trigger>
void replay(const da::Rollout& rollout, std::size_t segment, const Trigger& trigger,
            const da::RolloutLimits& limits, std::size_t summaries, Violations& found) {
  const auto spans = rollout.segments[segment].context.spans();
  std::size_t turns = 0;
  bool own = false;  // behind what the rewriter kept
  for (std::size_t i = 0; i < spans.size(); ++i) {
    turns += da::starts_turn(spans[i]) ? 1 : 0;
    own = own || (spans[i].is_sampled() && spans[i].agent == da::AgentRole::answerer);
    if (!own || spans[i].provenance != da::Provenance::observation) continue;
    const bool fires =
        trigger.should_summarize({spans[i].end(), limits.max_context_tokens, turns, summaries});
    const Next next = next_after(rollout, segment, i);
    if (next == Next::end ? !met_limit(rollout) : fires != (next == Next::summary))
      found.push_back("i: " + name_of(rollout) + " did not obey its trigger in segment " +
                      std::to_string(segment));
  }
}

}  // namespace detail

/// (i): one trigger and one set of limits explain every rollout. Rollouts that were aborted end
/// anywhere and are left out. `summaries_counted` is false for rewriters without summaries.
template <da::SummaryTrigger Trigger>
Violations of_protocol(std::span<const da::Rollout> rollouts, const Trigger& trigger,
                       const da::RolloutLimits& limits, bool summaries_counted = true) {
  Violations found;
  for (const da::Rollout& rollout : rollouts) {
    if (rollout.status == da::RolloutStatus::aborted) continue;
    if (rollout.turns > limits.max_turns || rollout.calls > limits.max_calls ||
        rollout.summaries > limits.max_summaries)
      found.push_back("i: " + name_of(rollout) + " is beyond a limit");
    std::size_t windows = 0;
    for (std::size_t s = 0; s < rollout.segments.size(); ++s) {
      // An observation may pass the limit; no model is asked to go on behind it.
      const auto spans = rollout.segments[s].context.spans();
      if (!spans.empty() && spans.back().is_sampled() &&
          spans.back().end() > limits.max_context_tokens)
        found.push_back("i: " + name_of(rollout) + " sampled beyond its context window");
      if (rollout.segments[s].owner != da::AgentRole::answerer) continue;
      detail::replay(rollout, s, trigger, limits, summaries_counted ? windows : 0, found);
      ++windows;
    }
  }
  return found;
}

}  // namespace laws
