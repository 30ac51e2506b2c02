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
#include "dualagent/collective/shared_memory_group.hpp"
#include "dualagent/core/check.hpp"
#include "dualagent/core/error.hpp"

namespace dualagent {

/// How the ranks of a SharedMemoryCollective meet; equal on all of them.
struct SharedMemoryOptions {
  /// Of a buffer; a rank has three, and so many bytes of /dev/shm.
  std::size_t slot_bytes = std::size_t{512} << 10;
  /// To wait for the others at the beginning; later ranks wait as long as all live.
  double timeout_seconds = 300;

  void validate() const {
    require_option(slot_bytes, {65536, 1U << 30U}, "slot_bytes", "SharedMemoryOptions");
    if (slot_bytes % 4096 != 0)
      throw Error("slot_bytes is " + std::to_string(slot_bytes), "SharedMemoryOptions",
                  "Take a multiple of 4096");
  }
};

/// A rank among processes of one host, by POSIX shared memory.
///
/// Arrays travel in chunks through buffers of the segment: each rank brings what others add up,
/// adds its share of the chunk in rank order and takes the others' sums, one chunk ahead. What is
/// started goes on in a thread of the collective's own. Copies of a handle are the same rank; its
/// calls may come from any thread, one at a time. Ranks that wait sleep in the kernel: at once
/// where there are more ranks than processors, else after a few microseconds.
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
  /// A sum that was started.
  class Sum {
   public:
    /// Until the sum is there. Errors: as for the class.
    void wait() { sum_.wait(); }

   private:
    friend class SharedMemoryCollective;
    Sum(std::shared_ptr<Member> member, BackgroundSums::Sum sum)
        : member_(std::move(member)), sum_(std::move(sum)) {}
    std::shared_ptr<Member> member_;  // outlives the sum
    BackgroundSums::Sum sum_;
  };

  /// All ranks of the group `name` call it.
  SharedMemoryCollective(const std::string& name, std::size_t rank, std::size_t size,
                         const SharedMemoryOptions& options = {}) {
    options.validate();
    member_ = std::make_shared<Member>(name, rank, size, options);
  }

  /// The ranks that a launcher started, all on this host. Errors: also if some are elsewhere.
  explicit SharedMemoryCollective(const LaunchedRank& me, const SharedMemoryOptions& options = {})
      : SharedMemoryCollective(name_on_one_host(me), me.rank, me.size, options) {}

  std::size_t rank() const { return member_->group.rank(); }
  std::size_t size() const { return member_->group.size(); }

  template <class T>
  void all_reduce_sum(std::span<T> values) {
    member_->background.finish();
    member_->all_reduce_sum(values);
  }
  template <class T>
  void reduce_scatter_sum(std::span<T> values) {
    member_->background.finish();
    member_->reduce_scatter_sum(values);
  }
  template <class T>
  void all_gather(std::span<T> values) {
    member_->background.finish();
    member_->all_gather(values);
  }
  /// Errors: also if `root` is not a rank.
  template <class T>
  void broadcast(std::span<T> values, std::size_t root) {
    require_rank(root, "SharedMemoryCollective::broadcast");
    member_->background.finish();
    member_->broadcast(values, root);
  }

  /// Starts `all_reduce_sum(values)`. The array stays as it is until `wait` has returned; a sum
  /// that is not waited for aborts the group.
  template <class T>
  Sum start_all_reduce_sum(std::span<T> values) {
    return start([values](Member& member) { member.all_reduce_sum(values); });
  }
  /// Starts a sum that rank `root` alone gets; the other ranks' arrays stay as they are.
  template <class T>
  Sum start_reduce_sum(std::span<T> values, std::size_t root) {
    require_rank(root, "SharedMemoryCollective::start_reduce_sum");
    return start([values, root](Member& member) { member.reduce_sum(values, root); });
  }

  /// Lets all waiting and later calls of the group throw.
  void abort(const std::string& reason) { member_->abort(reason); }

 private:
  struct Member {
    Member(const std::string& name, std::size_t rank, std::size_t size,
           const SharedMemoryOptions& options)
        : group(name, rank, size, options.slot_bytes, options.timeout_seconds),
          background([this] { abort("a sum that was started was not waited for"); }) {}

    void abort(const std::string& reason) {
      group.fail("rank " + std::to_string(group.rank()) + " gave up: " + reason);
    }

    template <class T>
    void all_reduce_sum(std::span<T> values) {
      if (values.size_bytes() <= kSmall) return all_reduce_small(values);
      const Pieces<T> pieces(*this, values);
      in_chunks<T>(
          "all_reduce_sum", 0, values.size(), pieces.chunks,
          [&](std::size_t chunk) { pieces.bring_others(chunk); },
          [&](std::size_t chunk) { pieces.add(chunk, true); },
          [&](std::size_t chunk) { pieces.take_others(chunk); });
    }

    template <class T>
    void reduce_scatter_sum(std::span<T> values) {
      const Pieces<T> pieces(*this, values);
      in_chunks<T>(
          "reduce_scatter_sum", 0, values.size(), pieces.chunks,
          [&](std::size_t chunk) { pieces.bring_others(chunk); },
          [&](std::size_t chunk) { pieces.add(chunk, false); }, kNothing);
    }

    template <class T>
    void all_gather(std::span<T> values) {
      const Pieces<T> pieces(*this, values);
      in_chunks<T>(
          "all_gather", 0, values.size(), pieces.chunks,
          [&](std::size_t chunk) { pieces.bring_own(chunk); }, kNothing,
          [&](std::size_t chunk) { pieces.take_others(chunk); });
    }

    template <class T>
    void broadcast(std::span<T> values, std::size_t root) {
      const std::size_t each = group.slot_bytes() / sizeof(T);
      in_chunks<T>(
          "broadcast", root, values.size(), (values.size() + each - 1) / each,
          [&](std::size_t chunk) {
            if (group.rank() == root) copy(slot<T>(root, chunk), part(values, chunk, each));
          },
          kNothing,
          [&](std::size_t chunk) {
            const std::span<T> to = part(values, chunk, each);
            if (group.rank() != root) std::copy_n(slot<T>(root, chunk), to.size(), to.data());
          });
    }

    template <class T>
    void reduce_sum(std::span<T> values, std::size_t root) {
      const std::size_t each = group.slot_bytes() / sizeof(T);
      in_chunks<T>(
          "reduce_sum", root, values.size(), (values.size() + each - 1) / each,
          [&](std::size_t chunk) {
            if (group.rank() != root) copy(slot<T>(group.rank(), chunk), part(values, chunk, each));
          },
          [&](std::size_t chunk) {
            const std::span<T> to = part(values, chunk, each);
            if (group.rank() == root) add_up<T>(chunk, 0, to, nullptr);
          },
          kNothing);
    }

    detail::SharedMemoryGroup group;
    std::uint32_t operations = 0;  // of this rank and, as all agree, of all
    std::uint32_t chunks = 0;
    BackgroundSums background;  // last: its thread ends first

   private:
    static constexpr std::size_t kSmall = 8192;  // bytes that every rank adds up by itself
    struct Nothing {
      void operator()(std::size_t) const {}
    };
    static constexpr Nothing kNothing{};

    /// Chunk by chunk, all ranks together: `bring(chunk)` fills own slots, `add(chunk)` sees the
    /// slots of all, `take(chunk)` sees what all have added. A rank that is at `add(c)` knows that
    /// all have taken chunk c - 2, whose slots `bring(c + 1)` fills. Where nothing is taken, a rank
    /// need not wait for the others' last sums: they bring no other array before.
    template <class T, class Bring, class Add, class Take>
    void in_chunks(std::string_view operation, std::size_t root, std::size_t elements,
                   std::size_t count, const Bring& bring, const Add& add, const Take& take) {
      count = std::max<std::size_t>(count, 1);
      group.require_alive();
      detail::SharedRequest& request = group.of(group.rank()).requests[operations++ % 2];
      request = {{}, {std::is_same_v<T, float> ? 'f' : 'd'}, root, elements};
      std::copy(operation.begin(), operation.end(), request.operation);
      first_ = chunks;
      chunks += static_cast<std::uint32_t>(count);
      bring_chunk(0, elements, bring);
      group.wait_for_all(&detail::SharedRank::brought, first_ + 1);
      require_agreement();
      for (std::size_t chunk = 0; chunk < count; ++chunk) {
        const std::uint32_t done = first_ + static_cast<std::uint32_t>(chunk) + 1;
        if (chunk + 1 < count) bring_chunk(chunk + 1, elements, bring);
        group.wait_for_all(&detail::SharedRank::brought, done);
        if (elements > 0) add(chunk);
        group.of(group.rank()).summed.set(done);
        if (std::is_same_v<Take, Nothing> && chunk + 1 == count) break;
        group.wait_for_all(&detail::SharedRank::summed, done);
        if (elements > 0) take(chunk);
      }
    }
    template <class Bring>
    void bring_chunk(std::size_t chunk, std::size_t elements, const Bring& bring) {
      if (elements > 0) bring(chunk);
      group.of(group.rank()).brought.set(first_ + static_cast<std::uint32_t>(chunk) + 1);
    }

    /// What differs is an Error on all ranks, after which the group goes on.
    void require_agreement() {
      const std::uint32_t number = (operations - 1) % 2;
      const detail::SharedRequest& first = group.of(0).requests[number];
      for (std::size_t rank = 1; rank < group.size(); ++rank) {
        const detail::SharedRequest& other = group.of(rank).requests[number];
        if (other == first) continue;
        chunks = first_ + 1;
        group.of(group.rank()).summed.set(chunks);
        throw Error("ranks do not agree: rank 0 brings " + first.text() + ", rank " +
                        std::to_string(rank) + " brings " + other.text(),
                    "SharedMemoryCollective",
                    "All ranks must call the same operations in the same order");
      }
    }

    template <class T>
    T* slot(std::size_t rank, std::size_t chunk) const {
      return reinterpret_cast<T*>(group.slot(rank, first_ + chunk));
    }
    template <class T>
    static std::span<T> part(std::span<T> values, std::size_t chunk, std::size_t each) {
      const std::size_t begin = std::min(values.size(), chunk * each);
      return values.subspan(begin, std::min(each, values.size() - begin));
    }
    template <class T>
    static void copy(T* to, std::span<T> from) {
      std::copy_n(from.data(), from.size(), to);
    }

    /// One array of all ranks that fits a slot: each adds it up for itself.
    template <class T>
    void all_reduce_small(std::span<T> values) {
      in_chunks<T>(
          "all_reduce_sum", 0, values.size(), 1,
          [&](std::size_t chunk) { copy(slot<T>(group.rank(), chunk), values); },
          [&](std::size_t chunk) { add_up<T>(chunk, 0, values, nullptr); }, kNothing);
    }

    /// values = the sum over ranks, in their order, of what their slots have from `offset` on, its
    /// own rank's being in `values`; copied to `also` where it is not null.
    template <class T>
    void add_up(std::size_t chunk, std::size_t offset, std::span<T> values, T* also) {
      constexpr std::size_t kBlock = 1024;
      alignas(64) T sums[kBlock];
      for (std::size_t begin = 0; begin < values.size(); begin += kBlock) {
        const std::size_t count = std::min(kBlock, values.size() - begin);
        const auto of_rank = [&](std::size_t rank) -> const T* {
          if (rank == group.rank()) return values.data() + begin;
          return slot<T>(rank, chunk) + offset + begin;
        };
        std::copy_n(of_rank(0), count, sums);
        for (std::size_t rank = 1; rank < group.size(); ++rank) {
          const T* const brought = of_rank(rank);
          for (std::size_t i = 0; i < count; ++i) sums[i] += brought[i];
        }
        std::copy_n(sums, count, values.data() + begin);
        if (also != nullptr) std::copy_n(sums, count, also + begin);
      }
    }

    /// An array in chunks of which each rank owns a piece: a part of its shard. In a slot the
    /// pieces lie one after the other.
    template <class T>
    struct Pieces {
      Pieces(Member& of, std::span<T> array)
          : member(of),
            values(array),
            each(member.group.slot_bytes() / sizeof(T) / member.group.size()),
            chunks((array.size() / member.group.size() + each) / each) {}

      std::span<T> piece(std::size_t rank, std::size_t chunk) const {
        const Shard shard = shard_of(values.size(), rank, member.group.size());
        return part(values.subspan(shard.begin, shard.size()), chunk, each);
      }
      T* place(std::size_t rank, std::size_t chunk, std::size_t owner) const {
        return member.slot<T>(rank, chunk) + owner * each;
      }
      /// Copies what others add up into the own slot.
      void bring_others(std::size_t chunk) const {
        const std::size_t own = member.group.rank();
        for (std::size_t rank = 0; rank < member.group.size(); ++rank)
          if (rank != own) copy(place(own, chunk, rank), piece(rank, chunk));
      }
      /// Takes what others own out of their slots.
      void take_others(std::size_t chunk) const {
        for (std::size_t rank = 0; rank < member.group.size(); ++rank) {
          const std::span<T> to = piece(rank, chunk);
          if (rank != member.group.rank())
            std::copy_n(place(rank, chunk, rank), to.size(), to.data());
        }
      }
      void bring_own(std::size_t chunk) const {
        const std::size_t own = member.group.rank();
        copy(place(own, chunk, own), piece(own, chunk));
      }
      void add(std::size_t chunk, bool for_all) const {
        const std::size_t own = member.group.rank();
        member.add_up(chunk, own * each, piece(own, chunk),
                      for_all ? place(own, chunk, own) : nullptr);
      }

      Member& member;
      std::span<T> values;
      std::size_t each;  // elements of a piece at most
      std::size_t chunks;
    };

    std::uint32_t first_ = 0;  // chunk of the operation in progress
  };

  static const std::string& name_on_one_host(const LaunchedRank& me) {
    if (me.local_size == 0 || me.local_size == me.size) return me.run;
    throw Error(std::to_string(me.local_size) + " of " + std::to_string(me.size) +
                    " ranks are on this host",
                "SharedMemoryCollective",
                "Over several hosts use MpiCollective, or Hierarchical of both");
  }

  template <class Work>
  Sum start(Work work) {
    return {member_, member_->background.start([member = member_.get(), work] { work(*member); })};
  }

  void require_rank(std::size_t root, const char* where) const {
    if (root >= size())
      throw Error(
          "rank " + std::to_string(root) + " is not in a group of " + std::to_string(size()),
          where);
  }

  std::shared_ptr<Member> member_;
};
static_assert(ShardingCollective<SharedMemoryCollective>);

}  // namespace dualagent
