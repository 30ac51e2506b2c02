#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <memory>
#include <new>
#include <string>
#include <system_error>
#include <utility>

#include "dualagent/collective/rendezvous.hpp"
#include "dualagent/collective/shared_arrays.hpp"
#include "dualagent/collective/shared_memory_layout.hpp"
#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/io/atomic_file.hpp"

namespace dualagent::detail {

/// A group of processes of this host, by a segment of POSIX shared memory.
///
/// Rank r locks byte r of the segment's file while it lives: the kernel gives the lock back when
/// the process ends, however it ends and in whatever container, and so says who is still there.
/// The name is removed as soon as all ranks have joined; what a rank 0 left behind that died before
/// that is removed by the next one of this user. A rank's child that was forked and runs no program
/// of its own (exec) counts as the rank.
class SharedMemoryGroup {
 public:
  static constexpr std::size_t kSlots = 3;
  static constexpr std::size_t kMaxRanks = 1024;

  /// All ranks call it. Errors: see SharedMemoryCollective.
  SharedMemoryGroup(const std::string& name, std::size_t rank, std::size_t size,
                    const SharedRoom& room, double timeout_seconds);
  SharedMemoryGroup(const SharedMemoryGroup&) = delete;
  SharedMemoryGroup& operator=(const SharedMemoryGroup&) = delete;
  ~SharedMemoryGroup() {
    if (arena_ != nullptr) SharedArrays::of_process().close(arena_.get());
    ranks_[rank_].left = 1;
    wake_all();
  }

  std::size_t rank() const { return rank_; }
  std::size_t size() const { return size_; }
  std::size_t slot_bytes() const { return room_.slot_bytes; }
  SharedRank& of(std::size_t rank) const { return ranks_[rank]; }
  std::byte* slot(std::size_t rank, std::size_t number) const {
    return segment_->memory + head_bytes() + (rank * kSlots + number % kSlots) * room_.slot_bytes;
  }
  /// Where an array of this process is in its arena, see SharedRequest.
  std::uint64_t place_of(const void* array, std::size_t bytes) const;
  /// Where this process sees what is at this place in a rank's arena.
  std::byte* array_at(std::size_t rank, std::uint64_t place) const {
    return segment_->memory + arena_begin(rank) + (place - 1);
  }

  /// Until a count of every rank has come to `wanted`. Errors: Error once the group has failed or
  /// has lost a rank for which this one waits.
  void wait_for_all(SharedCount SharedRank::*count, std::uint32_t wanted);

  /// Lets all waiting and later calls of the group throw; the first reason is kept.
  void fail(const std::string& reason);

  void require_alive() const;

 private:
  static std::string file_name(const std::string& name);
  std::string where() const { return "/dev/shm" + name_; }

  /// The processors that the ranks may use, all together.
  std::size_t usable_cores() const;

  /// Sets (F_OFD_SETLK) or asks for (F_OFD_GETLK) the lock of a rank; whether it is, or would be,
  /// had.
  static bool lock(int file, int command, std::size_t rank);

  static std::size_t page_rounded(std::size_t bytes) { return (bytes + 4095) / 4096 * 4096; }
  std::size_t head_bytes() const {
    return page_rounded(sizeof(SharedHead) + size_ * sizeof(SharedRank));
  }

  std::size_t arena_begin(std::size_t rank) const {
    return head_bytes() + size_ * kSlots * room_.slot_bytes + rank * room_.array_bytes;
  }

  void create();

  /// Removes segments of this user whose rank 0 died before all had joined: nobody has locked them.
  /// One of another run that has just been made may not be locked yet, and is left.
  void remove_leftovers() const;

  /// Whether rank 0 is there and this one has joined it.
  bool try_to_open();
  static std::string text_of(std::size_t ranks, const SharedRoom& room);

  void map(FileDescriptor file, std::size_t bytes);

  void meet(double timeout_seconds);

  bool reached_soon(const SharedCount& count, std::uint32_t wanted) const {
    for (int i = 0; i < spins_; ++i) {
      if (count.reached(wanted)) return true;
#if defined(__x86_64__)
      __builtin_ia32_pause();
#endif
    }
    return count.reached(wanted);
  }

  std::string died(std::size_t rank) const {
    return "rank " + std::to_string(rank) + " (process " +
           std::to_string(ranks_[rank].process.load()) + ") has died";
  }
  void require_present(std::size_t rank, const SharedCount& count, std::uint32_t wanted);

  void wake_all() {
    for (std::size_t rank = 0; rank < size_; ++rank) {
      ranks_[rank].brought.wake();
      ranks_[rank].summed.wake();
    }
  }

  static constexpr const char* kPrefix = "/dualagent-";
  std::string name_;
  std::size_t rank_, size_;
  SharedRoom room_;
  std::shared_ptr<SharedSegment> segment_;
  SharedHead* head_ = nullptr;
  SharedRank* ranks_ = nullptr;         // [size]
  std::shared_ptr<SharedArena> arena_;  // of this process, if there is room for arrays
  int spins_ = 0;
};

}  // namespace dualagent::detail

#ifndef DUALAGENT_COMPILED
#include "dualagent/collective/shared_memory_group.inl"
#endif
