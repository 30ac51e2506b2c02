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

/// A part of an array that is summed at once.
struct GradientBucket {
  Shard part;
  std::size_t owner = 0;    // the rank whose shard it lies in
  std::size_t missing = 0;  // elements that are not announced yet
};

/// Every rank gets all sums. A collective starts them by `start_all_reduce_sum(array)`, which
/// returns a handle with `wait()`.
struct SumForAll {
  static std::size_t shards(std::size_t) { return 1; }
  template <class C, class Array>
  static auto start(C& collective, Array bucket, std::size_t)
      -> decltype(collective.start_all_reduce_sum(bucket)) {
    return collective.start_all_reduce_sum(bucket);
  }
  template <class C, class Array>
  static void sum(C& collective, Array values, std::span<const GradientBucket> buckets) {
    for (std::size_t b = buckets.size(); b-- > 0;)
      collective.all_reduce_sum(values.subspan(buckets[b].part.begin, buckets[b].part.size()));
  }
};

/// Every rank gets the sums of its shard (`shard_of`); the rest of its array is then undefined. A
/// bucket lies in one shard. A collective starts the sums by `start_reduce_sum(array, owner)`.
struct SumForOwner {
  static std::size_t shards(std::size_t ranks) { return ranks; }
  template <class C, class Array>
  static auto start(C& collective, Array bucket, std::size_t owner)
      -> decltype(collective.start_reduce_sum(bucket, owner)) {
    return collective.start_reduce_sum(bucket, owner);
  }
  template <class C, class Array>
  static void sum(C& collective, Array values, std::span<const GradientBucket>) {
    collective.reduce_scatter_sum(values);
  }
};

/// Sums a flat array over ranks in buckets, each as soon as it is whole: a backward pass announces
/// parts of its gradient while it goes on.
///
/// Buckets are started from the last to the first, as a backward pass makes them, in this order on
/// every rank. `Sums` says who gets them, and how a collective starts them; one that cannot start
/// sums is called in `finish` alone. `Array` is std::span or a device's view: it has size() and
/// subspan(begin, count). One rank alone has its sums already.
/// `ready` may be called from any thread, one at a time.
/// Determinism: the result does not depend on the buckets nor on the order of the announcements.
/// Example: GradientBuckets buckets(collective, gradients);  // then, layer by layer:
///          buckets.ready(begin, end);  ...  buckets.finish();
template <class C, class Array, class Sums = SumForAll>
class GradientBuckets {
 public:
  /// Whether the collective sums while its caller goes on.
  static constexpr bool kStarts = requires(C & collective, Array array) {
    Sums::start(collective, array, std::size_t{}).wait();
  };

  GradientBuckets(C& collective, Array values, std::size_t bucket_elements = std::size_t{1} << 20)
      : collective_(&collective), values_(values) {
    require_option(bucket_elements, kAtLeastOne, "bucket_elements", "GradientBuckets");
    const std::size_t shards = Sums::shards(collective.size());
    for (std::size_t owner = 0; owner < shards; ++owner) {
      const Shard shard = shard_of(values.size(), owner, shards);
      for (std::size_t begin = shard.begin; begin < shard.end;) {
        const std::size_t size = std::min(bucket_elements, shard.end - begin);
        buckets_.push_back({{begin, begin + size}, owner, size});
        begin += size;
      }
    }
    next_ = buckets_.size();
  }

  /// Elements [begin, end) have their final values on this rank.
  /// Errors: Error if they do not lie in the array or were announced before.
  void ready(std::size_t begin, std::size_t end) {
    if (begin > end || end > values_.size())
      throw Error("elements [" + std::to_string(begin) + ", " + std::to_string(end) +
                      ") are not in an array of " + std::to_string(values_.size()),
                  "GradientBuckets::ready");
    auto bucket = std::ranges::upper_bound(buckets_, begin, {}, end_of);
    for (; bucket != buckets_.end() && bucket->part.begin < end; ++bucket) {
      const std::size_t from = std::max(begin, bucket->part.begin);
      const std::size_t count = std::min(end, bucket->part.end) - from;
      if (count > bucket->missing)
        throw Error("elements from " + std::to_string(from) + " on are announced twice",
                    "GradientBuckets::ready");
      bucket->missing -= count;
    }
    if constexpr (kStarts)
      while (next_ > 0 && buckets_[next_ - 1].missing == 0) start(buckets_[--next_]);
  }

  /// What was not announced is ready now, too; waits for all sums.
  void finish() {
    if (collective_->size() == 1) return;
    if constexpr (kStarts) {
      while (next_ > 0) start(buckets_[--next_]);
      for (Handle& handle : started_) handle.wait();
      started_.clear();
    } else if (std::exchange(next_, 0) > 0) {
      Sums::sum(*collective_, values_, buckets_);
    }
  }

 private:
  static std::size_t end_of(const GradientBucket& bucket) { return bucket.part.end; }

  struct NotStarted {};
  static auto started(C& collective, Array values, std::size_t owner) {
    if constexpr (kStarts)
      return Sums::start(collective, values, owner);
    else
      return NotStarted{};
  }
  using Handle = decltype(started(std::declval<C&>(), std::declval<Array>(), std::size_t{}));

  void start(GradientBucket& bucket) {
    bucket.missing = 0;
    if (collective_->size() == 1) return;
    started_.push_back(started(*collective_, values_.subspan(bucket.part.begin, bucket.part.size()),
                               bucket.owner));
  }

  C* collective_;
  Array values_;
  std::vector<GradientBucket> buckets_;
  std::size_t next_ = 0;  // buckets that are not summed yet are those before it
  std::vector<Handle> started_;
};

}  // namespace dualagent
