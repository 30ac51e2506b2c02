#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "dualagent/collective/collective.hpp"
#include "dualagent/core/check.hpp"
#include "dualagent/core/error.hpp"

namespace dualagent {

/// Sums a flat array over ranks in buckets, each as soon as it is whole: a backward pass announces
/// parts of its gradient while it goes on.
///
/// Buckets are summed from the last to the first, as a backward pass makes them, in this order on
/// every rank. A collective with `start_all_reduce_sum(array)`, which returns a handle with
/// `wait()`, sums while the caller goes on; any other sums when a bucket is whole. `Array` is
/// std::span or a device's view: it has size() and subspan(begin, count).
/// Determinism: the result does not depend on the buckets nor on the order of the announcements.
/// Example: GradientBuckets buckets(collective, gradients);  // then, layer by layer:
///          buckets.ready(begin, end);  ...  buckets.finish();
template <class C, class Array>
class GradientBuckets {
 public:
  GradientBuckets(C& collective, Array values, std::size_t bucket_elements = std::size_t{1} << 20)
      : collective_(&collective),
        values_(values),
        step_(checked(bucket_elements)),
        missing_((values.size() + step_ - 1) / step_, step_),
        next_(missing_.size()) {
    if (!missing_.empty()) missing_.back() = values.size() - (missing_.size() - 1) * step_;
  }

  /// Elements [begin, end) have their final values on this rank.
  /// Errors: Error if they do not lie in the array or were announced before.
  void ready(std::size_t begin, std::size_t end) {
    if (begin > end || end > values_.size())
      throw Error("elements [" + std::to_string(begin) + ", " + std::to_string(end) +
                      ") are not in an array of " + std::to_string(values_.size()),
                  "GradientBuckets::ready");
    while (begin < end) {
      const std::size_t bucket = begin / step_;
      const std::size_t part = std::min(end, (bucket + 1) * step_) - begin;
      if (part > missing_[bucket])
        throw Error("elements from " + std::to_string(begin) + " on are announced twice",
                    "GradientBuckets::ready");
      missing_[bucket] -= part;
      begin += part;
    }
    while (next_ > 0 && missing_[next_ - 1] == 0) sum(--next_);
  }

  /// Waits for all sums.
  /// Errors: Error that names the last bucket that was not announced whole.
  void finish() {
    if (next_ > 0)
      throw Error(std::to_string(missing_[next_ - 1]) + " elements among [" +
                      std::to_string((next_ - 1) * step_) + ", " +
                      std::to_string(std::min(values_.size(), next_ * step_)) +
                      ") were never announced",
                  "GradientBuckets::finish", "Call ready() for every part of the gradient");
    for (Handle& handle : started_) handle.wait();
    started_.clear();
  }

 private:
  static std::size_t checked(std::size_t bucket_elements) {
    require_option(bucket_elements, kAtLeastOne, "bucket_elements", "GradientBuckets");
    return bucket_elements;
  }

  static constexpr bool kStarts = requires(C & collective, Array array) {
    collective.start_all_reduce_sum(array).wait();
  };

  struct Done {
    void wait() {}
  };
  static auto handle_of(C& collective, Array array) {
    if constexpr (kStarts) {
      return collective.start_all_reduce_sum(array);
    } else {
      collective.all_reduce_sum(array);
      return Done{};
    }
  }
  using Handle = decltype(handle_of(std::declval<C&>(), std::declval<Array>()));

  void sum(std::size_t bucket) {
    const std::size_t begin = bucket * step_;
    started_.push_back(
        handle_of(*collective_, values_.subspan(begin, std::min(step_, values_.size() - begin))));
  }

  C* collective_;
  Array values_;
  std::size_t step_;
  std::vector<std::size_t> missing_;  // [buckets] elements that are not announced
  std::size_t next_;                  // buckets that are not summed yet are those before it
  std::vector<Handle> started_;
};

/// Sums a large array over ranks in buckets of `bucket_elements`, so that a collective's scratch
/// memory and messages stay bounded. The result does not depend on the size of the buckets.
template <class C, class T>
void bucketed_all_reduce(C& collective, std::span<T> values,
                         std::size_t bucket_elements = std::size_t{1} << 20) {
  if (collective.size() == 1) return;
  GradientBuckets buckets(collective, values, bucket_elements);
  buckets.ready(0, values.size());
  buckets.finish();
}

}  // namespace dualagent
