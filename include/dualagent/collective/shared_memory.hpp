#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "dualagent/collective/background_sums.hpp"
#include "dualagent/collective/collective.hpp"
#include "dualagent/collective/launch_environment.hpp"
#include "dualagent/collective/shared_memory_rank.hpp"
#include "dualagent/core/check.hpp"
#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"

namespace dualagent {

/// How the ranks of a SharedMemoryCollective meet; equal on all of them.
struct SharedMemoryOptions {
  /// Of a buffer; a rank has three, and so many bytes of /dev/shm.
  std::size_t slot_bytes = std::size_t{512} << 10;
  /// Of a rank, for arrays that are added in place; 0: none. AlignedVectors of a mebibyte and more
  /// that this process makes while it has the collective lie there as long as there is room (so do
  /// those of a model that is made after it: weights, gradients, moments): each takes as much of
  /// /dev/shm as it has. Sums of them are up to three times as fast.
  std::size_t array_bytes = 0;
  /// To wait for the others at the beginning; later ranks wait as long as all live.
  double timeout_seconds = 300;

  static constexpr std::size_t kMaxArrayBytes = std::size_t{1} << 40;
  void validate() const;
};

/// A rank among processes of one host, by POSIX shared memory.
///
/// Arrays travel in chunks through buffers of the segment: each rank brings what others add up,
/// adds its share of the chunk in rank order and takes the others' sums, one chunk ahead. Arrays
/// that lie in shared memory on all ranks (SharedMemoryOptions::array_bytes) are added where they
/// are. What is started goes on in a thread of the collective's own. Copies of a handle are the
/// same rank; its calls may come from any thread, one at a time. Ranks that wait sleep in the
/// kernel: at once where there are more ranks than processors, else after a few microseconds.
/// Determinism: sums are added in rank order, with the bits of a ThreadCollective of as many ranks.
/// Errors: ranks that ask for different operations or bring arrays of different sizes or types all
/// get an Error. A rank that dies, whatever killed it, frees the others within a second with an
/// Error that names it; so do `abort` and a rank that leaves while others wait for it. A process
/// that hangs or is stopped is waited for. The constructor throws for a name that is not allowed or
/// is in use, for ranks that do not agree, for lack of room in /dev/shm, and after
/// `timeout_seconds` with the names of the missing ranks. Nothing is left behind in /dev/shm.
/// Example: SharedMemoryCollective collective(rank_from_environment());
class SharedMemoryCollective {
  struct Member;

 public:
  using Sum = StartedSum;

  /// All ranks of the group `name` call it.
  SharedMemoryCollective(const std::string& name, std::size_t rank, std::size_t size,
                         const SharedMemoryOptions& options = {}) {
    options.validate();
    member_ = std::make_shared<Member>(name, rank, size, options);
  }

  /// The ranks that a launcher started, all on this host. Errors: also if some are elsewhere.
  explicit SharedMemoryCollective(const LaunchedRank& me, const SharedMemoryOptions& options = {})
      : SharedMemoryCollective(name_on_one_host(me), me.rank, me.size, options) {}

  std::size_t rank() const { return member_->rank.group().rank(); }
  std::size_t size() const { return member_->rank.group().size(); }

  template <class T>
  void all_reduce_sum(std::span<T> values) {
    idle().all_reduce_sum(values);
  }
  template <class T>
  void reduce_scatter_sum(std::span<T> values) {
    idle().reduce_scatter_sum(values);
  }
  template <class T>
  void all_gather(std::span<T> values) {
    idle().all_gather(values);
  }
  /// Errors: also if `root` is not a rank.
  template <class T>
  void broadcast(std::span<T> values, std::size_t root) {
    detail::require_rank(root, size(), "SharedMemoryCollective::broadcast");
    idle().broadcast(values, root);
  }

  /// Starts `all_reduce_sum(values)`. The array stays as it is until `wait` has returned; a sum
  /// that is not waited for aborts the group.
  template <class T>
  Sum start_all_reduce_sum(std::span<T> values) {
    return start([values](detail::SharedMemoryRank& rank) { rank.all_reduce_sum(values); });
  }
  /// Starts a sum that rank `root` alone gets; the other ranks' arrays stay as they are.
  template <class T>
  Sum start_reduce_sum(std::span<T> values, std::size_t root) {
    detail::require_rank(root, size(), "SharedMemoryCollective::start_reduce_sum");
    return start([values, root](detail::SharedMemoryRank& rank) { rank.reduce_sum(values, root); });
  }

  /// Lets all waiting and later calls of the group throw.
  void abort(const std::string& reason) { member_->abort(reason); }

 private:
  struct Member {
    Member(const std::string& name, std::size_t number, std::size_t size,
           const SharedMemoryOptions& options);

    void abort(const std::string& reason) {
      rank.group().fail("rank " + std::to_string(rank.group().rank()) + " gave up: " + reason);
    }

    detail::SharedMemoryRank rank;
    BackgroundSums background;  // last: its thread ends first
  };

  /// For what must not begin before all is done that was started.
  detail::SharedMemoryRank& idle() {
    member_->background.finish();
    return member_->rank;
  }

  static const std::string& name_on_one_host(const LaunchedRank& me);

  template <class Work>
  Sum start(Work work) {
    return {member_, member_->background.start([rank = &member_->rank, work] { work(*rank); })};
  }

  std::shared_ptr<Member> member_;
};
static_assert(ShardingCollective<SharedMemoryCollective>);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/collective/shared_memory.inl"
#endif
