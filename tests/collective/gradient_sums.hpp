#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "dualagent/collective/gradient_buckets.hpp"
#include "laws/collective_laws.hpp"

/// Whether gradients that a backward pass announces from the end, and that are summed meanwhile in
/// buckets, become the sums of all ranks in the part [begin, end) that this rank gets.
template <class Sums, class C>
bool buckets_sum(C& collective, const dualagent::Shard& part, std::size_t elements) {
  using Buckets = dualagent::GradientBuckets<C, std::span<float>, Sums>;
  static_assert(Buckets::kStarts);
  constexpr std::size_t kLayer = 700;
  std::vector<float> gradients(elements);
  for (std::size_t i = 0; i < elements; ++i) gradients[i] = laws::third(collective.rank(), i);
  std::vector<float> expected = gradients;
  collective.all_reduce_sum(std::span(expected));
  Buckets buckets(collective, gradients, 1000);
  for (std::size_t end = elements; end > 0;) {
    const std::size_t begin = end - std::min(end, kLayer);
    buckets.ready(begin, end);
    end = begin;
  }
  buckets.finish();
  return std::ranges::equal(std::span(gradients).subspan(part.begin, part.size()),
                            std::span(expected).subspan(part.begin, part.size()));
}

/// What this rank finds wrong with gradients that are summed in buckets; empty if nothing is.
template <class C>
std::string faults_of_buckets(C& collective) {
  constexpr std::size_t kElements = 10'007;
  std::string faults;
  if (!buckets_sum<dualagent::SumForAll>(collective, {0, kElements}, kElements))
    faults += "buckets for all; ";
  const dualagent::Shard own = dualagent::shard_of(kElements, collective.rank(), collective.size());
  if (!buckets_sum<dualagent::SumForOwner>(collective, own, kElements))
    faults += "buckets for owners; ";
  return faults;
}
