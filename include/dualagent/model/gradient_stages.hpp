#pragma once

#include <algorithm>
#include <cstddef>
#include <mutex>
#include <utility>
#include <vector>

namespace dualagent::detail {

/// The stages of a backward pass over `total` parameters, as bounds that fall: what comes after the
/// layers, the layers from the last to the first, and what comes before them. `layers`
/// [layers + 1]: where each begins, and where the last ends.
inline std::vector<std::size_t> stage_bounds(const std::vector<std::size_t>& layers,
                                             std::size_t total) {
  std::vector<std::size_t> bounds{total};
  bounds.insert(bounds.end(), layers.rbegin(), layers.rend());
  bounds.push_back(0);
  return bounds;
}

/// Tells which parts of a gradient several workers have all finished. A backward pass goes through
/// the parts from the last to the first; each worker does so with gradients of its own.
class GradientStages {
 public:
  /// Stage s is the part [bounds[s + 1], bounds[s]); `bounds` never rise.
  GradientStages(std::vector<std::size_t> bounds, std::size_t workers)
      : bounds_(std::move(bounds)), done_(workers, 0) {}

  /// `worker` has finished its first `stages` stages for good. Calls `finished(begin, end)`, one
  /// call at a time and in the order of the stages, for each that all workers have finished now;
  /// other workers that finish one wait meanwhile.
  template <class Finished>
  void finish(std::size_t worker, std::size_t stages, const Finished& finished) {
    const std::lock_guard lock(mutex_);
    done_[worker] = std::max(done_[worker], stages);
    const std::size_t by_all = *std::min_element(done_.begin(), done_.end());
    while (next_ < by_all) {
      const std::size_t end = bounds_[next_++];  // before `finished`, which may throw
      if (bounds_[next_] < end) finished(bounds_[next_], end);
    }
  }

 private:
  std::vector<std::size_t> bounds_;  // [stages + 1]
  std::mutex mutex_;
  std::vector<std::size_t> done_;  // [workers] stages
  std::size_t next_ = 0;           // the first stage that is not reported yet
};

}  // namespace dualagent::detail
