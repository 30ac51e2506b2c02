#pragma once

#include <cstddef>

#include "dualagent/kernels/mask.inl"
#include "dualagent/kernels/segments.inl"

namespace dualagent::loops {

namespace detail {

struct ReadTrained {
  const float* loss_weight;
  const float* value;
  DUALAGENT_HD kernels::MeanState<double> operator()(std::size_t t) const {
    const float x = value[t];  // loaded in any case: no load waits for another
    if (!kernels::is_trained(loss_weight[t])) return kernels::Mean<double>::identity();
    return kernels::Mean<double>::of(static_cast<double>(x));
  }
};

}  // namespace detail

/// Mean of a column over the trained tokens of each segment: segment s is [begin[s], begin[s + 1]).
///
/// Masked tokens do not count; a segment without trained tokens has count 0. Shapes:
/// loss_weight and value [begin[S]], begin [S + 1], means [S]. Sums are in double. Token mean: one
/// segment; rollout mean: the rollouts' first tokens.
template <class Loops>
void segmented_means(Loops& loops, std::size_t segments, const std::size_t* begin,
                     const float* loss_weight, const float* value,
                     kernels::MeanState<double>* means) {
  loops.segmented_map_reduce(segments, begin, kernels::Mean<double>{},
                             detail::ReadTrained{loss_weight, value}, means);
}

}  // namespace dualagent::loops
