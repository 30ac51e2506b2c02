#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <typeinfo>
#include <vector>

#include "dualagent/collective/collective.hpp"
#include "dualagent/core/error.hpp"

namespace dualagent {

/// A rank among the threads of this process.
///
/// `ThreadCollective::group(n)` makes one handle per rank; `run_ranks` also starts the threads.
/// Sums are added in rank order, each element by one rank, straight from the ranks' arrays.
/// Errors: ranks that ask for different operations or bring arrays of different sizes or types all
/// get an Error; `abort` makes
/// every present and later call of the group throw, so that a failed rank never leaves others
/// waiting. Example: run_ranks(4, [&](ThreadCollective collective) {
/// train(models[collective.rank()], collective); });
class ThreadCollective {
 public:
  /// One handle per rank. Errors: throws for 0 ranks.
  static std::vector<ThreadCollective> group(std::size_t ranks) {
    if (ranks == 0) throw Error("a collective needs at least one rank", "ThreadCollective::group");
    const auto shared = std::make_shared<Shared>(ranks);
    std::vector<ThreadCollective> handles;
    for (std::size_t rank = 0; rank < ranks; ++rank) handles.push_back({shared, rank});
    return handles;
  }

  std::size_t rank() const { return rank_; }
  std::size_t size() const { return shared_->ranks.size(); }

  template <class T>
  void all_reduce_sum(std::span<T> values) {
    together("all_reduce_sum", 0, values, [&] {
      const Shard own = shard_of(values.size(), rank_, size());
      for (std::size_t i = own.begin; i < own.end; ++i) {
        const T sum = sum_at<T>(i);
        for (std::size_t rank = 0; rank < size(); ++rank) array<T>(rank)[i] = sum;
      }
    });
  }

  template <class T>
  void reduce_scatter_sum(std::span<T> values) {
    together("reduce_scatter_sum", 0, values, [&] {
      const Shard own = shard_of(values.size(), rank_, size());
      for (std::size_t i = own.begin; i < own.end; ++i) values[i] = sum_at<T>(i);
    });
  }

  template <class T>
  void all_gather(std::span<T> values) {
    together("all_gather", 0, values, [&] {
      for (std::size_t rank = 0; rank < size(); ++rank) {
        const Shard shard = shard_of(values.size(), rank, size());
        if (rank != rank_)
          std::copy(array<T>(rank) + shard.begin, array<T>(rank) + shard.end,
                    values.begin() + static_cast<std::ptrdiff_t>(shard.begin));
      }
    });
  }

  /// Errors: also if `root` is not a rank.
  template <class T>
  void broadcast(std::span<T> values, std::size_t root) {
    if (root >= size())
      throw Error(
          "rank " + std::to_string(root) + " is not in a group of " + std::to_string(size()),
          "ThreadCollective::broadcast");
    together("broadcast", root, values, [&] {
      if (rank_ != root) std::copy_n(array<T>(root), values.size(), values.begin());
    });
  }

  /// Lets all waiting and later calls of the group throw.
  void abort(const std::string& reason) {
    const std::lock_guard lock(shared_->mutex);
    if (shared_->failure.empty())
      shared_->failure = "rank " + std::to_string(rank_) + " gave up: " + reason;
    shared_->arrived_all.notify_all();
  }

 private:
  struct Array {
    std::string_view operation;  // that the rank asks for
    std::size_t root = 0;
    void* data = nullptr;
    std::size_t size = 0;
    const std::type_info* type = nullptr;

    std::string text() const {
      const std::string from = operation == "broadcast" ? " from rank " + std::to_string(root) : "";
      return std::to_string(size) + " elements to " + std::string(operation) + from;
    }
  };
  struct Shared {
    explicit Shared(std::size_t count) : ranks(count) {}
    std::mutex mutex;
    std::condition_variable arrived_all;
    std::vector<Array> ranks;
    std::size_t arrived = 0;
    std::size_t round = 0;
    std::string failure;
  };

  ThreadCollective(std::shared_ptr<Shared> shared, std::size_t rank)
      : shared_(std::move(shared)), rank_(rank) {}

  template <class T>
  T* array(std::size_t rank) const {
    return static_cast<T*>(shared_->ranks[rank].data);
  }

  /// Shows this rank's array to the others, then runs `work` while all hold still.
  template <class T, class Work>
  void together(std::string_view operation, std::size_t root, std::span<T> values, Work&& work) {
    shared_->ranks[rank_] = {operation, root, values.data(), values.size(), &typeid(T)};
    meet();
    const std::string fault = disagreement();
    if (fault.empty()) work();
    meet();
    if (!fault.empty())
      throw Error("ranks do not agree: " + fault, "ThreadCollective",
                  "All ranks must call the same operations in the same order");
  }

  /// In rank order.
  template <class T>
  T sum_at(std::size_t i) const {
    T sum = array<T>(0)[i];
    for (std::size_t rank = 1; rank < size(); ++rank) sum += array<T>(rank)[i];
    return sum;
  }

  void meet() {
    std::unique_lock lock(shared_->mutex);
    const std::size_t round = shared_->round;
    if (++shared_->arrived == size()) {
      shared_->arrived = 0;
      ++shared_->round;
      shared_->arrived_all.notify_all();
    }
    shared_->arrived_all.wait(lock,
                              [&] { return shared_->round != round || !shared_->failure.empty(); });
    if (!shared_->failure.empty())
      throw Error("the collective was aborted", shared_->failure, "See that rank's own error");
  }

  /// What the ranks do not agree in; empty if they do.
  std::string disagreement() const {
    const Array& first = shared_->ranks[0];
    for (std::size_t rank = 1; rank < size(); ++rank) {
      const Array& other = shared_->ranks[rank];
      if (other.operation == first.operation && other.root == first.root &&
          other.size == first.size && *other.type == *first.type)
        continue;
      return "rank 0 brings " + first.text() + ", rank " + std::to_string(rank) + " brings " +
             other.text();
    }
    return {};
  }

  std::shared_ptr<Shared> shared_;
  std::size_t rank_;
};
static_assert(ShardingCollective<ThreadCollective>);

/// Runs `body(collective)` once per rank, each on a thread of its own, and waits for all.
///
/// Errors: the first rank that fails aborts the group; its error is rethrown here.
template <class Body>
void run_ranks(std::size_t ranks, Body&& body) {
  std::vector<ThreadCollective> handles = ThreadCollective::group(ranks);
  std::mutex mutex;
  std::exception_ptr first_error;
  std::vector<std::thread> threads;
  for (ThreadCollective& handle : handles)
    threads.emplace_back([&, handle]() mutable {
      const auto fail = [&](const std::string& reason) {
        {
          const std::lock_guard lock(mutex);
          if (!first_error) first_error = std::current_exception();
        }
        handle.abort(reason);
      };
      try {
        body(handle);
      } catch (const std::exception& error) {
        fail(error.what());
      } catch (...) {
        fail("unknown exception");
      }
    });
  for (std::thread& thread : threads) thread.join();
  if (first_error) std::rethrow_exception(first_error);
}

}  // namespace dualagent
