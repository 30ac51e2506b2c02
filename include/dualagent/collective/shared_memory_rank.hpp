#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "dualagent/collective/collective.hpp"
#include "dualagent/collective/shared_memory_group.hpp"
#include "dualagent/core/aligned_vector.hpp"
#include "dualagent/core/error.hpp"

namespace dualagent::detail {

/// The operations of a SharedMemoryCollective, each as a whole and one at a time.
///
/// An array travels in chunks: a rank brings what others add up to its slots, adds its share of the
/// chunk, and takes what the others have added. Large arrays that lie in the arenas of all ranks
/// are added where they are.
class SharedMemoryRank {
 public:
  SharedMemoryRank(const std::string& name, std::size_t rank, std::size_t size,
                   const SharedRoom& room, double timeout_seconds)
      : group_(name, rank, size, room, timeout_seconds), has_arenas_(room.array_bytes > 0) {}

  SharedMemoryGroup& group() { return group_; }
  const SharedMemoryGroup& group() const { return group_; }

  template <class T>
  void all_reduce_sum(std::span<T> values) {
    if (values.size_bytes() <= kSmall) return all_reduce_small(values);
    if (in_place("all_reduce_sum", 0, values, [&](const Arrays<T>& arrays) {
          add_where_they_are(arrays, own_shard(values.size()), {0, group_.size()});
        }))
      return;
    const Pieces<T> pieces(*this, values);
    in_chunks(
        "all_reduce_sum", 0, values, pieces.chunks,
        [&](std::size_t chunk) { pieces.bring_others(chunk); },
        [&](std::size_t chunk) { pieces.add(chunk, true); },
        [&](std::size_t chunk) { pieces.take_others(chunk); });
  }

  template <class T>
  void reduce_scatter_sum(std::span<T> values) {
    if (in_place("reduce_scatter_sum", 0, values, [&](const Arrays<T>& arrays) {
          add_where_they_are(arrays, own_shard(values.size()), {group_.rank(), group_.rank() + 1});
        }))
      return;
    const Pieces<T> pieces(*this, values);
    in_chunks(
        "reduce_scatter_sum", 0, values, pieces.chunks,
        [&](std::size_t chunk) { pieces.bring_others(chunk); },
        [&](std::size_t chunk) { pieces.add(chunk, false); }, kNothing);
  }

  template <class T>
  void all_gather(std::span<T> values) {
    if (in_place("all_gather", 0, values, [&](const Arrays<T>& arrays) {
          const Shard own = own_shard(values.size());
          for (std::size_t rank = 0; rank < group_.size(); ++rank)
            if (rank != group_.rank())
              std::copy_n(arrays[group_.rank()] + own.begin, own.size(), arrays[rank] + own.begin);
        }))
      return;
    const Pieces<T> pieces(*this, values);
    in_chunks(
        "all_gather", 0, values, pieces.chunks, [&](std::size_t chunk) { pieces.bring_own(chunk); },
        kNothing, [&](std::size_t chunk) { pieces.take_others(chunk); });
  }

  template <class T>
  void broadcast(std::span<T> values, std::size_t root) {
    if (in_place("broadcast", root, values, [&](const Arrays<T>& arrays) {
          if (group_.rank() != root) std::copy_n(arrays[root], values.size(), values.data());
        }))
      return;
    const std::size_t each = group_.slot_bytes() / sizeof(T);
    in_chunks(
        "broadcast", root, values, (values.size() + each - 1) / each,
        [&](std::size_t chunk) {
          if (group_.rank() == root) copy(slot<T>(root, chunk), part(values, chunk, each));
        },
        kNothing,
        [&](std::size_t chunk) {
          const std::span<T> to = part(values, chunk, each);
          if (group_.rank() != root) std::copy_n(slot<T>(root, chunk), to.size(), to.data());
        });
  }

  /// The sum is rank `root`'s alone; the other ranks' arrays stay as they are.
  template <class T>
  void reduce_sum(std::span<T> values, std::size_t root) {
    if (in_place("reduce_sum", root, values, [&](const Arrays<T>& arrays) {
          add_where_they_are(arrays, own_shard(values.size()), {root, root + 1});
        }))
      return;
    const std::size_t each = group_.slot_bytes() / sizeof(T);
    in_chunks(
        "reduce_sum", root, values, (values.size() + each - 1) / each,
        [&](std::size_t chunk) {
          if (group_.rank() != root) copy(slot<T>(group_.rank(), chunk), part(values, chunk, each));
        },
        [&](std::size_t chunk) {
          const std::span<T> to = part(values, chunk, each);
          if (group_.rank() == root) add_up<T>(chunk, 0, to, nullptr);
        },
        kNothing);
  }

 private:
  static constexpr std::size_t kSmall = 8192;  // bytes that every rank adds up by itself
  template <class T>
  using Arrays = std::vector<T*>;  // [ranks] as this process sees them
  struct Nothing {
    void operator()(std::size_t) const {}
  };
  static constexpr Nothing kNothing{};

  Shard own_shard(std::size_t elements) const {
    return shard_of(elements, group_.rank(), group_.size());
  }

  /// What this rank asks for; the operation's chunks are numbered from `first_` on.
  template <class T>
  SharedRequest& request(std::string_view operation, std::size_t root, std::span<T> values) {
    group_.require_alive();
    first_ = chunks_;
    SharedRequest& own = group_.of(group_.rank()).requests[operations_++ % 2];
    own = {{}, {std::is_same_v<T, float> ? 'f' : 'd'}, root, values.size(), 0};
    std::copy(operation.begin(), operation.end(), own.operation);
    return own;
  }
  const SharedRequest& request_of(std::size_t rank) const {
    return group_.of(rank).requests[(operations_ - 1) % 2];
  }
  std::uint32_t number_of(std::size_t chunk) const {
    return first_ + static_cast<std::uint32_t>(chunk) + 1;
  }

  /// Waits until all ask for something. What differs is an Error on all ranks, after which the
  /// group goes on.
  void agree() {
    group_.wait_for_all(&SharedRank::brought, number_of(0));
    for (std::size_t rank = 1; rank < group_.size(); ++rank) {
      if (request_of(rank) == request_of(0)) continue;
      end_after_agreement();
      throw Error("ranks do not agree: rank 0 brings " + request_of(0).text() + ", rank " +
                      std::to_string(rank) + " brings " + request_of(rank).text(),
                  "SharedMemoryCollective",
                  "All ranks must call the same operations in the same order");
    }
  }
  void end_after_agreement() {
    chunks_ = number_of(0);
    group_.of(group_.rank()).summed.set(chunks_);
  }

  /// Has all ranks do `work(arrays)` if they see each other's arrays; whether they do.
  template <class T, class Work>
  bool in_place(std::string_view operation, std::size_t root, std::span<T> values,
                const Work& work) {
    if (!has_arenas_ || values.size_bytes() < kLargeArrayBytes) return false;
    request(operation, root, values).place = group_.place_of(values.data(), values.size_bytes());
    group_.of(group_.rank()).brought.set(number_of(0));
    agree();
    Arrays<T> arrays;
    for (std::size_t rank = 0; rank < group_.size(); ++rank)
      if (const std::uint64_t place = request_of(rank).place)
        arrays.push_back(reinterpret_cast<T*>(group_.array_at(rank, place)));
    const bool all_are_there = arrays.size() == group_.size();
    if (all_are_there) work(arrays);
    end_after_agreement();
    if (all_are_there) group_.wait_for_all(&SharedRank::summed, chunks_);
    return all_are_there;
  }

  /// Chunk by chunk, all ranks together: `bring(chunk)` fills own slots, `add(chunk)` sees the
  /// slots of all, `take(chunk)` sees what all have added. A rank that is at `add(c)` knows that
  /// all have taken chunk c - 2, whose slots `bring(c + 1)` fills. Where nothing is taken, a rank
  /// need not wait for the others' last sums: they bring no other array before.
  template <class T, class Bring, class Add, class Take>
  void in_chunks(std::string_view operation, std::size_t root, std::span<T> values,
                 std::size_t count, const Bring& bring, const Add& add, const Take& take) {
    count = std::max<std::size_t>(count, 1);
    request(operation, root, values);
    const auto bring_chunk = [&](std::size_t chunk) {
      if (!values.empty()) bring(chunk);
      group_.of(group_.rank()).brought.set(number_of(chunk));
    };
    bring_chunk(0);
    agree();
    chunks_ += static_cast<std::uint32_t>(count);
    for (std::size_t chunk = 0; chunk < count; ++chunk) {
      if (chunk + 1 < count) bring_chunk(chunk + 1);
      group_.wait_for_all(&SharedRank::brought, number_of(chunk));
      if (!values.empty()) add(chunk);
      group_.of(group_.rank()).summed.set(number_of(chunk));
      if (std::is_same_v<Take, Nothing> && chunk + 1 == count) break;
      group_.wait_for_all(&SharedRank::summed, number_of(chunk));
      if (!values.empty()) take(chunk);
    }
  }

  template <class T>
  T* slot(std::size_t rank, std::size_t chunk) const {
    return reinterpret_cast<T*>(group_.slot(rank, first_ + chunk));
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
    in_chunks(
        "all_reduce_sum", 0, values, 1,
        [&](std::size_t chunk) { copy(slot<T>(group_.rank(), chunk), values); },
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
        if (rank == group_.rank()) return values.data() + begin;
        return slot<T>(rank, chunk) + offset + begin;
      };
      std::copy_n(of_rank(0), count, sums);
      for (std::size_t rank = 1; rank < group_.size(); ++rank) {
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
    Pieces(SharedMemoryRank& member, std::span<T> array)
        : of(member),
          values(array),
          each(of.group_.slot_bytes() / sizeof(T) / of.group_.size()),
          chunks((array.size() / of.group_.size() + each) / each) {}

    std::span<T> piece(std::size_t rank, std::size_t chunk) const {
      const Shard shard = shard_of(values.size(), rank, of.group_.size());
      return part(values.subspan(shard.begin, shard.size()), chunk, each);
    }
    T* place(std::size_t rank, std::size_t chunk, std::size_t owner) const {
      return of.template slot<T>(rank, chunk) + owner * each;
    }
    /// Copies what others add up into the own slot.
    void bring_others(std::size_t chunk) const {
      const std::size_t own = of.group_.rank();
      for (std::size_t rank = 0; rank < of.group_.size(); ++rank)
        if (rank != own) copy(place(own, chunk, rank), piece(rank, chunk));
    }
    /// Takes what others own out of their slots.
    void take_others(std::size_t chunk) const {
      for (std::size_t rank = 0; rank < of.group_.size(); ++rank) {
        const std::span<T> to = piece(rank, chunk);
        if (rank != of.group_.rank()) std::copy_n(place(rank, chunk, rank), to.size(), to.data());
      }
    }
    void bring_own(std::size_t chunk) const {
      const std::size_t own = of.group_.rank();
      copy(place(own, chunk, own), piece(own, chunk));
    }
    void add(std::size_t chunk, bool for_all) const {
      const std::size_t own = of.group_.rank();
      of.add_up(chunk, own * each, piece(own, chunk), for_all ? place(own, chunk, own) : nullptr);
    }

    SharedMemoryRank& of;
    std::span<T> values;
    std::size_t each;  // elements of a piece at most
    std::size_t chunks;
  };

  /// Writes the sums of the elements `part`, added in rank order, to the arrays of the ranks `to`.
  template <class T>
  static void add_where_they_are(const Arrays<T>& arrays, const Shard& part, const Shard& to) {
    constexpr std::size_t kBlock = 1024;
    alignas(64) T sums[kBlock];
    for (std::size_t begin = part.begin; begin < part.end; begin += kBlock) {
      const std::size_t count = std::min(kBlock, part.end - begin);
      std::copy_n(arrays[0] + begin, count, sums);
      for (std::size_t rank = 1; rank < arrays.size(); ++rank) {
        const T* const brought = arrays[rank] + begin;
        for (std::size_t i = 0; i < count; ++i) sums[i] += brought[i];
      }
      for (std::size_t rank = to.begin; rank < to.end; ++rank)
        std::copy_n(sums, count, arrays[rank] + begin);
    }
  }

  SharedMemoryGroup group_;
  bool has_arenas_;
  std::uint32_t operations_ = 0;  // of this rank and, as all agree, of all
  std::uint32_t chunks_ = 0;      // of all operations
  std::uint32_t first_ = 0;       // chunk of the operation in progress
};

}  // namespace dualagent::detail
