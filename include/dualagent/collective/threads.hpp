#pragma once

#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <typeinfo>
#include <utility>
#include <vector>

#include "dualagent/collective/collective.hpp"
#include "dualagent/core/check.hpp"
#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"

namespace dualagent {

/// A rank among the threads of this process.
///
/// `ThreadCollective::group(n)` makes one handle per rank; `run_ranks` also starts the threads.
/// Sums are added in rank order, each element by one rank, straight from the ranks' arrays.
/// A sum may be started and waited for later; the rank that brings the last array adds it up, in
/// the call that starts it. A rank's calls may come from any thread, one at a time.
/// Errors: ranks that ask for different operations or bring arrays of different sizes or types all
/// get an Error; `abort` makes every present and later call of the group throw, so that a failed
/// rank never leaves others waiting.
/// Example: run_ranks(4, [&](ThreadCollective collective) {
/// train(models[collective.rank()], collective); });
class ThreadCollective {
  struct Shared;
  struct Started;

 public:
  /// One handle per rank. Errors: throws for 0 ranks.
  static std::vector<ThreadCollective> group(std::size_t ranks);

  std::size_t rank() const { return rank_; }
  std::size_t size() const { return shared_->ranks.size(); }

  template <class T>
  void all_reduce_sum(std::span<T> values) {
    together("all_reduce_sum", 0, values, [&] {
      add_up<T>(shared_->ranks, shard_of(values.size(), rank_, size()), {0, size()});
    });
  }

  template <class T>
  void reduce_scatter_sum(std::span<T> values) {
    together("reduce_scatter_sum", 0, values, [&] {
      add_up<T>(shared_->ranks, shard_of(values.size(), rank_, size()), {rank_, rank_ + 1});
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
    detail::require_rank(root, size(), "ThreadCollective::broadcast");
    together("broadcast", root, values, [&] {
      if (rank_ != root) std::copy_n(array<T>(root), values.size(), values.begin());
    });
  }

  /// A sum that was started. The array stays as it is until `wait` has returned. Without `wait`,
  /// the array is withdrawn, and the other ranks wait until the group is aborted.
  class Sum {
   public:
    Sum(std::shared_ptr<Shared> group, std::shared_ptr<Started> sum)
        : group_(std::move(group)), sum_(std::move(sum)) {}
    Sum(Sum&&) noexcept = default;
    Sum& operator=(Sum&&) = delete;
    ~Sum();

    /// Until the sum is there. Errors: as for the class.
    void wait();

   private:
    std::shared_ptr<Shared> group_;
    std::shared_ptr<Started> sum_;
  };

  /// Starts `all_reduce_sum(values)`. The n-th sum that a rank starts is the n-th of all ranks.
  template <class T>
  Sum start_all_reduce_sum(std::span<T> values) {
    return start("all_reduce_sum", 0, values, {0, size()});
  }

  /// Starts a sum that rank `root` alone gets; the other ranks' arrays stay as they are.
  template <class T>
  Sum start_reduce_sum(std::span<T> values, std::size_t root) {
    detail::require_rank(root, size(), "ThreadCollective::start_reduce_sum");
    return start("reduce_sum", root, values, {root, root + 1});
  }

  /// Lets all waiting and later calls of the group throw.
  void abort(const std::string& reason);

 private:
  struct Array {
    std::string_view operation;  // that the rank asks for
    std::size_t root = 0;
    void* data = nullptr;
    std::size_t size = 0;
    const std::type_info* type = nullptr;

    std::string text() const;
  };
  using Arrays = std::vector<Array>;  // [ranks]
  /// A sum that a rank has started.
  struct Started {
    explicit Started(std::size_t count) : ranks(count) {}
    Arrays ranks;
    std::size_t arrived = 0;
    bool withdrawn = false;  // a rank's array is not there any more
    bool done = false;
    std::string fault;  // once done
  };
  struct Shared {
    explicit Shared(std::size_t count) : ranks(count), started(count, 0) {}
    std::mutex mutex;
    std::condition_variable arrived_all;
    Arrays ranks;
    std::size_t arrived = 0;
    std::size_t round = 0;
    std::vector<std::size_t> started;                            // [ranks] sums of each
    std::map<std::size_t, std::shared_ptr<Started>> incomplete;  // sums by their number
    std::string failure;

    void require_alive() const {
      if (!failure.empty())
        throw Error("the collective was aborted", failure, "See that rank's own error");
    }
    static void require_agreement(const std::string& fault);
  };

  ThreadCollective(std::shared_ptr<Shared> shared, std::size_t rank)
      : shared_(std::move(shared)), rank_(rank) {}

  template <class T>
  static T* array(const Arrays& arrays, std::size_t rank) {
    return static_cast<T*>(arrays[rank].data);
  }
  template <class T>
  T* array(std::size_t rank) const {
    return array<T>(shared_->ranks, rank);
  }

  /// Shows this rank's array to the others, then runs `work` while all hold still.
  template <class T, class Work>
  void together(std::string_view operation, std::size_t root, std::span<T> values, Work&& work) {
    shared_->ranks[rank_] = {operation, root, values.data(), values.size(), &typeid(T)};
    meet();
    const std::string fault = disagreement(shared_->ranks);
    if (fault.empty()) work();
    meet();
    Shared::require_agreement(fault);
  }

  /// Brings this rank's array; with the last one, the ranks `to` get the sum.
  template <class T>
  Sum start(std::string_view operation, std::size_t root, std::span<T> values, Shard to) {
    const std::lock_guard lock(shared_->mutex);
    shared_->require_alive();
    const std::size_t number = shared_->started[rank_]++;
    const std::shared_ptr<Started> sum =
        shared_->incomplete.try_emplace(number, std::make_shared<Started>(size())).first->second;
    sum->ranks[rank_] = {operation, root, values.data(), values.size(), &typeid(T)};
    if (++sum->arrived == size()) {
      shared_->incomplete.erase(number);
      if (!sum->withdrawn) {
        sum->fault = disagreement(sum->ranks);
        if (sum->fault.empty()) add_up<T>(sum->ranks, {0, values.size()}, to);
        sum->done = true;
        shared_->arrived_all.notify_all();
      }
    }
    return {shared_, sum};
  }

  /// Writes the sums of the elements `part`, added in rank order, to the arrays of the ranks `to`.
  template <class T>
  static void add_up(const Arrays& arrays, Shard part, Shard to) {
    constexpr std::size_t kBlock = 1024;
    std::array<T, kBlock> sums;
    for (std::size_t begin = part.begin; begin < part.end; begin += kBlock) {
      const std::size_t count = std::min(kBlock, part.end - begin);
      std::copy_n(array<T>(arrays, 0) + begin, count, sums.begin());
      for (std::size_t rank = 1; rank < arrays.size(); ++rank) {
        const T* const brought = array<T>(arrays, rank) + begin;
        for (std::size_t i = 0; i < count; ++i) sums[i] += brought[i];
      }
      for (std::size_t rank = to.begin; rank < to.end; ++rank)
        std::copy_n(sums.begin(), count, array<T>(arrays, rank) + begin);
    }
  }

  void meet();

  /// What the ranks do not agree in; empty if they do.
  static std::string disagreement(const Arrays& arrays);

  std::shared_ptr<Shared> shared_;
  std::size_t rank_;
};

static_assert(ShardingCollective<ThreadCollective>);

namespace detail {

struct StartThread {
  template <class Run>
  std::thread operator()(Run run) const {
    return std::thread(std::move(run));
  }
};

/// Runs `body(i)` for i = 0 .. count - 1, each on a thread of its own, and waits for all. One that
/// fails calls `abort(i, reason)`, as is done for those that the system starts no thread for; the
/// first one's error is rethrown. `start` is for tests.
template <class Body, class Abort, class Start = StartThread>
void run_threads(std::size_t count, const Body& body, const Abort& abort, const Start& start = {}) {
  std::mutex mutex;
  std::exception_ptr first_error;
  const auto fail = [&](std::size_t i, const std::string& reason) {
    {
      const std::lock_guard lock(mutex);
      if (!first_error) first_error = std::current_exception();
    }
    abort(i, reason);
  };
  std::vector<std::thread> threads;
  try {
    threads.reserve(count);
    while (threads.size() < count)
      threads.push_back(start([&, i = threads.size()] {
        try {
          body(i);
        } catch (const std::exception& error) {
          fail(i, error.what());
        } catch (...) {
          fail(i, "unknown exception");
        }
      }));
  } catch (const std::exception&) {
    for (std::size_t i = threads.size(); i < count; ++i) fail(i, "its thread could not be started");
  }
  for (std::thread& thread : threads) thread.join();
  if (first_error) std::rethrow_exception(first_error);
}

}  // namespace detail

/// Runs `body(collective)` once per rank, each on a thread of its own, and waits for all.
///
/// Errors: the first rank that fails aborts the group; its error is rethrown here.
template <class Body>
void run_ranks(std::size_t ranks, Body&& body) {
  std::vector<ThreadCollective> handles = ThreadCollective::group(ranks);
  detail::run_threads(
      ranks, [&](std::size_t rank) { body(ThreadCollective(handles[rank])); },
      [&](std::size_t rank, const std::string& reason) { handles[rank].abort(reason); });
}

/// Ranks along the two axes of a Mesh.
struct MeshShape {
  std::size_t data = 1;
  std::size_t model = 1;
};

/// Runs `body(data, model)` once per rank of a mesh, each on a thread of its own with its handles
/// of both axes, and waits for all. Errors: the first rank that fails aborts both of its groups,
/// and so in turn all; its error is rethrown here. Example: run_ranks(MeshShape{.data = 2, .model =
/// 2}, [&](ThreadCollective data, ThreadCollective model) { Mesh mesh{data, model}; ... });
template <class Body>
void run_ranks(const MeshShape& shape, Body&& body) {
  require_option(shape.data, kThreads, "data", "MeshShape");
  require_option(shape.model, kThreads, "model", "MeshShape");
  require_option(shape.data * shape.model, kThreads, "data * model", "MeshShape");
  std::vector<std::vector<ThreadCollective>> data, model;
  for (std::size_t m = 0; m < shape.model; ++m) data.push_back(ThreadCollective::group(shape.data));
  for (std::size_t d = 0; d < shape.data; ++d)
    model.push_back(ThreadCollective::group(shape.model));
  detail::run_threads(
      shape.data * shape.model,
      [&](std::size_t i) {
        const std::size_t d = i / shape.model, m = i % shape.model;
        body(ThreadCollective(data[m][d]), ThreadCollective(model[d][m]));
      },
      [&](std::size_t i, const std::string& reason) {
        const std::size_t d = i / shape.model, m = i % shape.model;
        data[m][d].abort(reason);
        model[d][m].abort(reason);
      });
}

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/collective/threads.inl"
#endif
