#pragma once

/// Definitions of threads.hpp; see core/compiled.hpp.

#include "dualagent/collective/threads.hpp"

namespace dualagent {

DUALAGENT_INLINE std::vector<ThreadCollective> ThreadCollective::group(std::size_t ranks) {
  require_option(ranks, kThreads, "ranks", "ThreadCollective::group");
  const auto shared = std::make_shared<Shared>(ranks);
  std::vector<ThreadCollective> handles;
  for (std::size_t rank = 0; rank < ranks; ++rank) handles.push_back({shared, rank});
  return handles;
}

DUALAGENT_INLINE ThreadCollective::Sum::~Sum() {
  if (group_ == nullptr) return;
  const std::lock_guard lock(group_->mutex);  // nobody is adding up now, nor will from here on
  sum_->withdrawn = true;
}

DUALAGENT_INLINE void ThreadCollective::Sum::wait() {
  std::unique_lock lock(group_->mutex);
  group_->arrived_all.wait(lock, [&] { return sum_->done || !group_->failure.empty(); });
  if (!sum_->done) group_->require_alive();
  Shared::require_agreement(sum_->fault);
}

DUALAGENT_INLINE void ThreadCollective::abort(const std::string& reason) {
  const std::lock_guard lock(shared_->mutex);
  if (shared_->failure.empty())
    shared_->failure = "rank " + std::to_string(rank_) + " gave up: " + reason;
  shared_->arrived_all.notify_all();
}

DUALAGENT_INLINE std::string ThreadCollective::Array::text() const {
  std::string rank;
  if (operation == "broadcast") rank = " from rank " + std::to_string(root);
  if (operation == "reduce_sum") rank = " on rank " + std::to_string(root);
  return std::to_string(size) + " elements to " + std::string(operation) + rank;
}

DUALAGENT_INLINE void ThreadCollective::Shared::require_agreement(const std::string& fault) {
  if (!fault.empty())
    throw Error("ranks do not agree: " + fault, "ThreadCollective",
                "All ranks must call the same operations in the same order");
}

DUALAGENT_INLINE void ThreadCollective::meet() {
  std::unique_lock lock(shared_->mutex);
  const std::size_t round = shared_->round;
  if (++shared_->arrived == size()) {
    shared_->arrived = 0;
    ++shared_->round;
    shared_->arrived_all.notify_all();
  }
  shared_->arrived_all.wait(lock,
                            [&] { return shared_->round != round || !shared_->failure.empty(); });
  shared_->require_alive();
}

DUALAGENT_INLINE std::string ThreadCollective::disagreement(const Arrays& arrays) {
  const Array& first = arrays[0];
  for (std::size_t rank = 1; rank < arrays.size(); ++rank) {
    const Array& other = arrays[rank];
    if (other.operation == first.operation && other.root == first.root &&
        other.size == first.size && *other.type == *first.type)
      continue;
    return "rank 0 brings " + first.text() + ", rank " + std::to_string(rank) + " brings " +
           other.text();
  }
  return {};
}

}  // namespace dualagent
