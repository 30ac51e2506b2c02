#pragma once

#include <concepts>
#include <cstddef>

#include "dualagent/trace/rollout.hpp"

namespace dualagent {

/// Chooses which sampled spans of a rollout are trained; summary/view.hpp has those that ship.
///
/// Syntactic requirement on a constant v: `v.trains(rollout, segment, span)` returns bool for the
/// span of `rollout.segments[segment]`.
/// Semantic requirements: pure. Only `is_trained` calls it, with sampled spans of rollouts that
/// were not aborted: given tokens cannot be trained by any view.
/// Optional, all `static constexpr`:
/// - `TrainedAgents agents`: whose tokens it can select; unions need it. Default: both.
/// - `bool one_segment_per_rollout = true`: never more than one segment of a rollout.
template <class V>
concept TrainingView = requires(const V& view, const Rollout& rollout, std::size_t segment,
                                const Span& span) {
  { view.trains(rollout, segment, span) } -> std::same_as<bool>;
};

/// The loss mask: whether the tokens of `span`, which lies in `rollout.segments[segment]`, are
/// trained under `view`. The trainer, `render` and the report all ask this function.
///
/// Never true for given spans, nor in an aborted rollout. A trained span has no gradient where its
/// advantage is 0, e.g. in a group whose rewards are all equal.
template <TrainingView View>
bool is_trained(const View& view, const Rollout& rollout, std::size_t segment, const Span& span) {
  return span.is_sampled() && rollout.status != RolloutStatus::aborted &&
         view.trains(rollout, segment, span);
}

}  // namespace dualagent
