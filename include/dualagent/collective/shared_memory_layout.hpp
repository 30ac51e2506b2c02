#pragma once

#include <linux/futex.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <string>
#include <string_view>
#include <utility>

#include "dualagent/core/compiled.hpp"
#include "dualagent/io/atomic_file.hpp"

namespace dualagent::detail {

/// A count that other processes may wait for. It lies in memory that they share.
struct SharedCount {
  std::atomic<std::uint32_t> value{0};  // what the kernel compares
  std::atomic<std::uint32_t> sleepers{0};

  /// Whether it has come to `wanted`, of counts that wrap around.
  bool reached(std::uint32_t wanted) const {
    return static_cast<std::int32_t>(value.load(std::memory_order_acquire) - wanted) >= 0;
  }
  void wake() { ::syscall(SYS_futex, &value, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0); }
  void set(std::uint32_t to) {
    value.store(to);
    if (sleepers.load() != 0) wake();
  }
  /// Until the next `set`, a tenth of a second at most.
  void sleep(std::uint32_t wanted);
};
static_assert(std::atomic<std::uint32_t>::is_always_lock_free);

/// What a rank asks for.
struct SharedRequest {
  char operation[24] = {};
  char type[2] = {};  // 'f' or 'd'
  std::uint64_t root = 0;
  std::uint64_t elements = 0;
  std::uint64_t place = 0;  // of the array in the rank's arena, from 1 on; 0: it is elsewhere

  friend bool operator==(const SharedRequest& a, const SharedRequest& b) {
    return std::strcmp(a.operation, b.operation) == 0 && a.type[0] == b.type[0] &&
           a.root == b.root && a.elements == b.elements;
  }
  std::string text() const;
};

/// A rank's part of the segment's head.
struct alignas(64) SharedRank {
  std::atomic<std::int32_t> process{0};  // its id, once it has joined
  std::atomic<std::uint32_t> left{0};    // it has ended its work
  cpu_set_t cores{};                     // that it may use
  SharedRequest requests[2];             // of operations of even and odd number
  alignas(64) SharedCount brought;       // chunks in its slots
  alignas(64) SharedCount summed;        // chunks whose sums are in its slots
};

/// The segment's head; the ranks, their slots and their arenas follow.
struct alignas(64) SharedHead {
  static constexpr std::uint64_t kReady = 0x31676c6175640aULL;  // and the layout's version
  std::atomic<std::uint64_t> ready{0};
  std::uint64_t ranks = 0, slot_bytes = 0, array_bytes = 0;
  std::atomic<std::uint32_t> failed{0};  // 1: someone writes why, 2: it is written
  char failure[480] = {};
};

/// A segment's file, locked by a rank, and its memory.
struct SharedSegment {
  SharedSegment(FileDescriptor opened, std::size_t size, const std::string& name);
  SharedSegment(const SharedSegment&) = delete;
  SharedSegment& operator=(const SharedSegment&) = delete;
  ~SharedSegment() { ::munmap(memory, bytes); }

  FileDescriptor file;
  std::size_t bytes;
  std::byte* memory = nullptr;
};

/// Room in a segment, equal on all ranks.
struct SharedRoom {
  std::size_t slot_bytes = 0;   // of each of a rank's slots
  std::size_t array_bytes = 0;  // of a rank's arena; its pages are taken when arrays lie in them
  friend bool operator==(const SharedRoom&, const SharedRoom&) = default;
};

}  // namespace dualagent::detail

#ifndef DUALAGENT_COMPILED
#include "dualagent/collective/shared_memory_layout.inl"
#endif
