#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

#include "dualagent/collective/rendezvous.hpp"
#include "dualagent/core/error.hpp"
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
  void sleep(std::uint32_t wanted) {
    const timespec limit{0, 100'000'000};
    sleepers.fetch_add(1);
    const std::uint32_t seen = value.load();
    if (!reached(wanted)) ::syscall(SYS_futex, &value, FUTEX_WAIT, seen, &limit, nullptr, 0);
    sleepers.fetch_sub(1);
  }
};
static_assert(std::atomic<std::uint32_t>::is_always_lock_free);

/// What a rank asks for.
struct SharedRequest {
  char operation[24] = {};
  char type[2] = {};  // 'f' or 'd'
  std::uint64_t root = 0;
  std::uint64_t elements = 0;

  friend bool operator==(const SharedRequest& a, const SharedRequest& b) {
    return std::strcmp(a.operation, b.operation) == 0 && a.type[0] == b.type[0] &&
           a.root == b.root && a.elements == b.elements;
  }
  std::string text() const {
    std::string of =
        std::to_string(elements) + (type[0] == 'd' ? " doubles" : " floats") + " to " + operation;
    if (std::string_view(operation) == "broadcast") of += " from rank " + std::to_string(root);
    if (std::string_view(operation) == "reduce_sum") of += " on rank " + std::to_string(root);
    return of;
  }
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

/// The segment's head; the ranks and then their slots follow.
struct alignas(64) SharedHead {
  static constexpr std::uint64_t kReady = 0x31676c6175640aULL;  // and the layout's version
  std::atomic<std::uint64_t> ready{0};
  std::uint64_t ranks = 0, slot_bytes = 0;
  std::atomic<std::uint32_t> failed{0};  // 1: someone writes why, 2: it is written
  char failure[480] = {};
};

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
                    std::size_t slot_bytes, double timeout_seconds)
      : name_(file_name(name)), rank_(rank), size_(size), slot_bytes_(slot_bytes) {
    if (size == 0 || size > kMaxRanks || rank >= size)
      throw Error("rank " + std::to_string(rank) + " of " + std::to_string(size) + " ranks",
                  where(),
                  "Ranks are numbered from 0 below their number, which is at most " +
                      std::to_string(kMaxRanks));
    if (rank == 0)
      create();
    else
      wait_until(timeout_seconds, "rank 0 of the group", where(), [&] { return try_to_open(); });
    ::sched_getaffinity(0, sizeof(cpu_set_t), &ranks_[rank].cores);
    ranks_[rank].process = ::getpid();
    try {
      meet(timeout_seconds);
    } catch (...) {
      if (rank == 0) ::shm_unlink(name_.c_str());
      throw;
    }
    if (rank == 0) ::shm_unlink(name_.c_str());
    spins_ = size <= usable_cores() ? 2000 : 0;
  }
  SharedMemoryGroup(const SharedMemoryGroup&) = delete;
  SharedMemoryGroup& operator=(const SharedMemoryGroup&) = delete;
  ~SharedMemoryGroup() {
    if (memory_ == nullptr) return;
    ranks_[rank_].left = 1;
    wake_all();
    ::munmap(memory_, bytes_);
  }

  std::size_t rank() const { return rank_; }
  std::size_t size() const { return size_; }
  std::size_t slot_bytes() const { return slot_bytes_; }
  SharedRank& of(std::size_t rank) const { return ranks_[rank]; }
  std::byte* slot(std::size_t rank, std::size_t number) const {
    return slots_ + (rank * kSlots + number % kSlots) * slot_bytes_;
  }

  /// Until a count of every rank has come to `wanted`. Errors: Error once the group has failed or
  /// has lost a rank for which this one waits.
  void wait_for_all(SharedCount SharedRank::*count, std::uint32_t wanted) {
    for (std::size_t rank = 0; rank < size_; ++rank)
      for (SharedCount& one = ranks_[rank].*count; !reached_soon(one, wanted);) {
        require_alive();
        one.sleep(wanted);
        if (!one.reached(wanted)) require_present(rank, one, wanted);
      }
  }

  /// Lets all waiting and later calls of the group throw; the first reason is kept.
  void fail(const std::string& reason) {
    std::uint32_t none = 0;
    if (head_->failed.compare_exchange_strong(none, 1)) {
      std::copy_n(reason.data(), std::min(reason.size(), sizeof head_->failure - 1),
                  head_->failure);
      head_->failed = 2;
    }
    wake_all();
  }

  void require_alive() const {
    if (head_->failed == 0) return;
    // A rank that dies while it writes leaves 1 behind.
    for (int i = 0; head_->failed == 1 && i < 1000; ++i) ::sched_yield();
    throw Error("the collective was aborted", head_->failed == 2 ? head_->failure : "a rank died",
                "See that rank's own error; the run goes on from its last checkpoint");
  }

 private:
  static std::string file_name(const std::string& name) {
    const auto usual = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             c == '-' || c == '_' || c == '.';
    };
    if (name.empty() || name.size() > 200 || !std::ranges::all_of(name, usual))
      throw Error("the group's name is '" + name + "'", "SharedMemoryCollective",
                  "Take 1 to 200 letters, digits, dots, hyphens and underscores");
    return kPrefix + name;
  }
  std::string where() const { return "/dev/shm" + name_; }

  /// The processors that the ranks may use, all together.
  std::size_t usable_cores() const {
    cpu_set_t all;
    CPU_ZERO(&all);
    for (std::size_t rank = 0; rank < size_; ++rank) CPU_OR(&all, &all, &ranks_[rank].cores);
    return static_cast<std::size_t>(CPU_COUNT(&all));
  }

  /// Sets (F_OFD_SETLK) or asks for (F_OFD_GETLK) the lock of a rank; whether it is, or would be,
  /// had.
  static bool lock(int file, int command, std::size_t rank) {
    struct flock one {};
    one.l_type = F_WRLCK;
    one.l_whence = SEEK_SET;
    one.l_start = static_cast<off_t>(rank);
    one.l_len = 1;
    if (::fcntl(file, command, &one) != 0) return false;
    return command == F_OFD_SETLK || one.l_type == F_UNLCK;
  }

  static std::size_t page_rounded(std::size_t bytes) { return (bytes + 4095) / 4096 * 4096; }
  std::size_t head_bytes() const {
    return page_rounded(sizeof(SharedHead) + size_ * sizeof(SharedRank));
  }

  void create() {
    remove_leftovers();
    file_ = FileDescriptor(::shm_open(name_.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600));
    if (file_.get() < 0 && errno != EEXIST) throw_file_error("make", where(), errno);
    if (file_.get() < 0 || !lock(file_.get(), F_OFD_SETLK, 0))
      throw Error("another run uses this name", where(),
                  "Give each run on this host a name of its own");
    bytes_ = head_bytes() + size_ * kSlots * slot_bytes_;
    if (const int fault = ::posix_fallocate(file_.get(), 0, static_cast<off_t>(bytes_))) {
      ::shm_unlink(name_.c_str());
      throw Error("no room for " + std::to_string(bytes_) +
                      " bytes of shared memory: " + std::generic_category().message(fault),
                  where(), "Make /dev/shm larger (docker run --shm-size) or the slots smaller");
    }
    map();
    head_ = new (memory_) SharedHead;
    for (std::size_t rank = 0; rank < size_; ++rank) new (&ranks_[rank]) SharedRank;
    head_->ranks = size_;
    head_->slot_bytes = slot_bytes_;
    head_->ready.store(SharedHead::kReady, std::memory_order_release);
  }

  /// Removes segments of this user whose rank 0 died before all had joined: nobody has locked them.
  /// One of another run that has just been made may not be locked yet, and is left.
  void remove_leftovers() const {
    const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir("/dev/shm"), ::closedir);
    if (folder == nullptr) return;
    while (const dirent* const entry = ::readdir(folder.get())) {
      const std::string name = std::string("/") + entry->d_name;
      if (!name.starts_with(kPrefix)) continue;
      const FileDescriptor file(::shm_open(name.c_str(), O_RDWR, 0));
      struct stat facts {};
      if (file.get() >= 0 && ::fstat(file.get(), &facts) == 0 && facts.st_uid == ::geteuid() &&
          (name == name_ || facts.st_ctime + 60 < ::time(nullptr)) &&
          lock(file.get(), F_OFD_SETLK, 0))
        ::shm_unlink(name.c_str());
    }
  }

  /// Whether rank 0 is there and this one has joined it.
  bool try_to_open() {
    file_ = FileDescriptor(::shm_open(name_.c_str(), O_RDWR, 0));
    if (file_.get() < 0 && errno != ENOENT) throw_file_error("open", where(), errno);
    struct stat facts {};
    if (file_.get() < 0 || lock(file_.get(), F_OFD_GETLK, 0) || ::fstat(file_.get(), &facts) != 0 ||
        static_cast<std::size_t>(facts.st_size) < page_rounded(sizeof(SharedHead)))
      return false;
    bytes_ = static_cast<std::size_t>(facts.st_size);
    map();
    if (head_->ready.load(std::memory_order_acquire) != SharedHead::kReady) return unmap(), false;
    if (head_->ranks != size_ || head_->slot_bytes != slot_bytes_) {
      const std::string theirs = std::to_string(head_->ranks) + " ranks and slots of " +
                                 std::to_string(head_->slot_bytes) + " bytes";
      unmap();
      throw Error("rank 0 has " + theirs + ", rank " + std::to_string(rank_) + " has " +
                      std::to_string(size_) + " and " + std::to_string(slot_bytes_),
                  where());
    }
    if (!lock(file_.get(), F_OFD_SETLK, rank_)) {
      unmap();
      throw Error("rank " + std::to_string(rank_) + " is there already", where(),
                  "Start each rank once");
    }
    return true;
  }

  void map() {
    void* const memory =
        ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, file_.get(), 0);
    if (memory == MAP_FAILED) throw_file_error("map", where(), errno);
    memory_ = static_cast<std::byte*>(memory);
    head_ = reinterpret_cast<SharedHead*>(memory_);
    ranks_ = reinterpret_cast<SharedRank*>(memory_ + sizeof(SharedHead));
    slots_ = memory_ + head_bytes();
  }
  void unmap() { ::munmap(std::exchange(memory_, nullptr), bytes_); }

  void meet(double timeout_seconds) {
    std::string missing;
    const auto all_are_there = [&] {
      missing.clear();
      for (std::size_t rank = 0; rank < size_; ++rank)
        if (ranks_[rank].process == 0)
          missing += " " + std::to_string(rank);
        else if (rank != rank_ && ranks_[rank].left == 0 && lock(file_.get(), F_OFD_GETLK, rank))
          fail(died(rank));
      require_alive();
      return missing.empty();
    };
    try {
      wait_until(timeout_seconds, "all ranks to join", where(), all_are_there);
    } catch (const Error& error) {
      if (missing.empty()) throw;
      throw Error(error.problem() + "; missing:" + missing, error.where(), error.remedy());
    }
  }

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
  void require_present(std::size_t rank, const SharedCount& count, std::uint32_t wanted) {
    require_alive();
    const bool left = ranks_[rank].left == 1;
    if (!left && (rank == rank_ || !lock(file_.get(), F_OFD_GETLK, rank))) return;
    if (count.reached(wanted)) return;  // it brought this before it went
    fail(left ? "rank " + std::to_string(rank) + " has left the group" : died(rank));
    require_alive();
  }

  void wake_all() {
    for (std::size_t rank = 0; rank < size_; ++rank) {
      ranks_[rank].brought.wake();
      ranks_[rank].summed.wake();
    }
  }

  static constexpr const char* kPrefix = "/dualagent-";
  std::string name_;
  std::size_t rank_, size_, slot_bytes_, bytes_ = 0;
  FileDescriptor file_;
  std::byte* memory_ = nullptr;
  SharedHead* head_ = nullptr;
  SharedRank* ranks_ = nullptr;  // [size]
  std::byte* slots_ = nullptr;   // [size][kSlots][slot_bytes]
  int spins_ = 0;
};

}  // namespace dualagent::detail
