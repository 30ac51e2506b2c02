#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "dualagent/collective/background_sums.hpp"
#include "dualagent/collective/collective.hpp"
#include "dualagent/core/error.hpp"

namespace dualagent {

/// Ranks of several hosts: those of a host over `Local`, the hosts' leaders over `Leaders`.
///
/// A leader is rank 0 of its host. Ranks are numbered host by host, in the order of the leaders;
/// hosts may have different numbers of ranks. A sum is made on every host, then among the leaders,
/// then handed down, so that an array crosses the network once per host. `reduce_scatter_sum` does
/// the same, for no shard may be left out on the way. What is started goes on in a thread of the
/// collective's own. Copies of a handle are the same rank.
/// Determinism: every rank gets the same bits, and the same in every run with as many ranks on each
/// host; another spread over hosts adds in another order.
/// Errors: those of its two collectives. Where a rank dies, its host is freed by `Local`, and a
/// leader that throws leaves `Leaders`, as far as they free others.
/// Example: see shared_memory_and_mpi.
template <class Local, class Leaders>
class Hierarchical {
  static_assert(ShardingCollective<Local> && ShardingCollective<Leaders>,
                "dualagent: Hierarchical{local, leaders} takes two collectives with "
                "reduce_scatter_sum, all_gather and broadcast; see docs/collectives.md");
  struct Member;

 public:
  using Sum = StartedSum;

  /// All ranks call it; leaders alone bring `leaders`. Errors: Error if another rank does.
  Hierarchical(Local local, std::optional<Leaders> leaders) {
    if ((local.rank() == 0) != leaders.has_value())
      throw Error("rank " + std::to_string(local.rank()) + " of its host " +
                      (leaders ? "brings" : "does not bring") + " the leaders' collective",
                  "Hierarchical", "Rank 0 of each host brings it, no other");
    member_ = std::make_shared<Member>(std::move(local), std::move(leaders));
  }

  std::size_t rank() const { return member_->first() + member_->local.rank(); }
  std::size_t size() const { return member_->firsts.back(); }

  template <class T>
  void all_reduce_sum(std::span<T> values) {
    member_->background.finish();
    member_->all_reduce_sum(values);
  }
  template <class T>
  void reduce_scatter_sum(std::span<T> values) {
    all_reduce_sum(values);
  }
  template <class T>
  void all_gather(std::span<T> values) {
    member_->background.finish();
    member_->all_gather(values);
  }
  /// Errors: also if `root` is not a rank.
  template <class T>
  void broadcast(std::span<T> values, std::size_t root) {
    detail::require_rank(root, size(), "Hierarchical::broadcast");
    member_->background.finish();
    member_->broadcast(values, root);
  }

  /// Starts `all_reduce_sum(values)`. The array stays as it is until `wait` has returned.
  template <class T>
  Sum start_all_reduce_sum(std::span<T> values) {
    return start([values](Member& member) { member.all_reduce_sum(values); });
  }
  /// Starts a sum that rank `root` alone gets; the other ranks' arrays stay as they are.
  template <class T>
  Sum start_reduce_sum(std::span<T> values, std::size_t root) {
    detail::require_rank(root, size(), "Hierarchical::start_reduce_sum");
    return start([values, root, rank = rank()](Member& member) {
      if (rank == root) return member.all_reduce_sum(values);
      std::vector<T> copy(values.begin(), values.end());
      member.all_reduce_sum(std::span<T>(copy));
    });
  }

  /// Aborts those of its collectives that can be.
  void abort(const std::string& reason) { member_->abort(reason); }

 private:
  struct Member {
    Member(Local own_host, std::optional<Leaders> own_leaders)
        : local(std::move(own_host)),
          leaders(std::move(own_leaders)),
          background([this] { abort("a sum that was started was not waited for"); }) {
      double facts[2] = {};  // the number of hosts and the own one's
      if (leaders) {
        facts[0] = static_cast<double>(leaders->size());
        facts[1] = static_cast<double>(leaders->rank());
      }
      local.broadcast(std::span<double>(facts), 0);
      host = static_cast<std::size_t>(facts[1]);
      std::vector<double> sizes(static_cast<std::size_t>(facts[0]), 0.0);
      sizes[host] = static_cast<double>(local.size());
      if (leaders) leaders->all_reduce_sum(std::span<double>(sizes));
      local.broadcast(std::span<double>(sizes), 0);
      firsts.push_back(0);
      for (const double size : sizes)
        firsts.push_back(firsts.back() + static_cast<std::size_t>(size));
    }

    std::size_t first() const { return firsts[host]; }
    std::size_t hosts() const { return firsts.size() - 1; }

    void abort(const std::string& reason) {
      if constexpr (requires { local.abort(reason); }) local.abort(reason);
      if constexpr (requires { leaders->abort(reason); })
        if (leaders) leaders->abort(reason);
    }

    template <class T>
    void all_reduce_sum(std::span<T> values) {
      local.all_reduce_sum(values);
      if (hosts() == 1) return;
      if (leaders) leaders->all_reduce_sum(values);
      local.broadcast(values, 0);
    }

    template <class T>
    void all_gather(std::span<T> values) {
      const auto shards = [&](std::size_t from, std::size_t to) {
        const std::size_t begin = shard_of(values.size(), from, firsts.back()).begin;
        return values.subspan(begin, shard_of(values.size(), to - 1, firsts.back()).end - begin);
      };
      for (std::size_t rank = 0; rank < local.size(); ++rank)
        local.broadcast(shards(first() + rank, first() + rank + 1), rank);
      if (hosts() == 1) return;
      if (leaders)
        for (std::size_t other = 0; other < hosts(); ++other)
          leaders->broadcast(shards(firsts[other], firsts[other + 1]), other);
      if (host > 0) local.broadcast(shards(0, first()), 0);
      if (host + 1 < hosts()) local.broadcast(shards(firsts[host + 1], firsts.back()), 0);
    }

    template <class T>
    void broadcast(std::span<T> values, std::size_t root) {
      const auto after = std::ranges::upper_bound(firsts, root);
      const auto of = static_cast<std::size_t>(after - firsts.begin()) - 1;
      if (of == host) local.broadcast(values, root - first());
      if (leaders) leaders->broadcast(values, of);
      if (of != host) local.broadcast(values, 0);
    }

    Local local;
    std::optional<Leaders> leaders;
    std::size_t host = 0;
    std::vector<std::size_t>
        firsts;                 // [hosts + 1] each host's first rank, then the number of ranks
    BackgroundSums background;  // last: its thread ends first
  };

  template <class Work>
  Sum start(Work work) {
    return {member_, member_->background.start([member = member_.get(), work] { work(*member); })};
  }

  std::shared_ptr<Member> member_;
};
template <class Local, class Leaders>
Hierarchical(Local, std::optional<Leaders>) -> Hierarchical<Local, Leaders>;

}  // namespace dualagent
