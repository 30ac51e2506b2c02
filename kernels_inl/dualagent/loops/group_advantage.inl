#pragma once

#include <cstddef>

#include "dualagent/kernels/combine.inl"
#include "dualagent/kernels/segments.inl"

namespace dualagent::loops {

namespace detail {

template <class T>
struct ReadMoments {
  const T* value;
  DUALAGENT_HD kernels::MomentsState<T> operator()(std::size_t i) const {
    return kernels::Moments<T>::of(value[i]);
  }
};

template <class Estimator, class T>
struct WriteAdvantage {
  static constexpr bool searches = true;
  Estimator estimator;
  std::size_t groups;
  const std::size_t* group_begin;
  const kernels::MomentsState<T>* moments;
  const T* reward;
  T* advantage;

  DUALAGENT_HD void operator()(std::size_t i) const {
    const std::size_t g = kernels::segment_of(groups, group_begin, i);
    advantage[i] = estimator.advantage(reward[i], moments[g]);
  }
};

}  // namespace detail

/// Advantages of rollouts within their groups: group g is [group_begin[g], group_begin[g + 1]).
///
/// `estimator.advantage(reward, moments of the group)` is inlined; constexpr, if it is to run on a
/// device. Shapes: reward and advantage [group_begin[G]], group_begin [G + 1], all on the machine
/// of `loops`; `moments` is scratch that grows to G.
template <class Loops, class Estimator, class T>
void group_advantage(Loops& loops, const Estimator& estimator, std::size_t rollouts,
                     const T* reward, std::size_t groups, const std::size_t* group_begin,
                     typename Loops::template Array<kernels::MomentsState<T>>& moments,
                     T* advantage) {
  if (groups == 0) return;
  moments.resize(groups);
  loops.segmented_map_reduce(groups, group_begin, kernels::Moments<T>{},
                             detail::ReadMoments<T>{reward}, moments.data());
  loops.for_each(rollouts, detail::WriteAdvantage<Estimator, T>{estimator, groups, group_begin,
                                                                moments.data(), reward, advantage});
}

}  // namespace dualagent::loops
