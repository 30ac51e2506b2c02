#pragma once

/// Definitions of shared_memory_group.hpp; see core/compiled.hpp.

#include "dualagent/collective/shared_memory_group.hpp"

namespace dualagent::detail {

DUALAGENT_INLINE SharedMemoryGroup::SharedMemoryGroup(const std::string& name, std::size_t rank,
                                                      std::size_t size, const SharedRoom& room,
                                                      double timeout_seconds)
    : name_(file_name(name)), rank_(rank), size_(size), room_(room) {
  if (size == 0 || size > kMaxRanks || rank >= size)
    throw Error("rank " + std::to_string(rank) + " of " + std::to_string(size) + " ranks", where(),
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
  if (room_.array_bytes > 0) {
    arena_ =
        std::make_shared<SharedArena>(segment_, segment_->file.get(), arena_begin(rank_),
                                      segment_->memory + arena_begin(rank_), room_.array_bytes);
    SharedArrays::of_process().add(arena_);
  }
}

DUALAGENT_INLINE std::uint64_t SharedMemoryGroup::place_of(const void* array,
                                                           std::size_t bytes) const {
  if (arena_ == nullptr || !arena_->holds(array, bytes)) return 0;
  const auto* const begin = segment_->memory + arena_begin(rank_);
  return static_cast<std::uint64_t>(static_cast<const std::byte*>(array) - begin) + 1;
}

DUALAGENT_INLINE void SharedMemoryGroup::wait_for_all(SharedCount SharedRank::*count,
                                                      std::uint32_t wanted) {
  for (std::size_t rank = 0; rank < size_; ++rank)
    for (SharedCount& one = ranks_[rank].*count; !reached_soon(one, wanted);) {
      require_alive();
      one.sleep(wanted);
      if (!one.reached(wanted)) require_present(rank, one, wanted);
    }
}

DUALAGENT_INLINE void SharedMemoryGroup::fail(const std::string& reason) {
  std::uint32_t none = 0;
  if (head_->failed.compare_exchange_strong(none, 1)) {
    std::copy_n(reason.data(), std::min(reason.size(), sizeof head_->failure - 1), head_->failure);
    head_->failed = 2;
  }
  wake_all();
}

DUALAGENT_INLINE void SharedMemoryGroup::require_alive() const {
  if (head_->failed == 0) return;
  // A rank that dies while it writes leaves 1 behind.
  for (int i = 0; head_->failed == 1 && i < 100; ++i) ::usleep(1000);
  throw Error("the collective was aborted", head_->failed == 2 ? head_->failure : "a rank died",
              "See that rank's own error; the run goes on from its last checkpoint");
}

DUALAGENT_INLINE std::string SharedMemoryGroup::file_name(const std::string& name) {
  const auto usual = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  if (name.empty() || name.size() > 200 || !std::ranges::all_of(name, usual))
    throw Error("the group's name is '" + name + "'", "SharedMemoryCollective",
                "Take 1 to 200 letters, digits, dots, hyphens and underscores");
  return kPrefix + name;
}

DUALAGENT_INLINE std::size_t SharedMemoryGroup::usable_cores() const {
  cpu_set_t all;
  CPU_ZERO(&all);
  for (std::size_t rank = 0; rank < size_; ++rank) CPU_OR(&all, &all, &ranks_[rank].cores);
  return static_cast<std::size_t>(CPU_COUNT(&all));
}

DUALAGENT_INLINE bool SharedMemoryGroup::lock(int file, int command, std::size_t rank) {
  struct flock one {};
  one.l_type = F_WRLCK;
  one.l_whence = SEEK_SET;
  one.l_start = static_cast<off_t>(rank);
  one.l_len = 1;
  if (::fcntl(file, command, &one) != 0) return false;
  return command == F_OFD_SETLK || one.l_type == F_UNLCK;
}

DUALAGENT_INLINE void SharedMemoryGroup::create() {
  remove_leftovers();
  FileDescriptor file(::shm_open(name_.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600));
  if (file.get() < 0 && errno != EEXIST) throw_file_error("make", where(), errno);
  if (file.get() < 0 || !lock(file.get(), F_OFD_SETLK, 0))
    throw Error("another run uses this name", where(),
                "Give each run on this host a name of its own");
  struct stat facts {};
  if (::fstat(file.get(), &facts) != 0 || facts.st_nlink == 0)  // removed before it was locked
    throw Error("another run uses this name", where(),
                "Give each run on this host a name of its own");
  const std::size_t bytes = arena_begin(0);
  int fault = ::posix_fallocate(file.get(), 0, static_cast<off_t>(bytes));
  if (fault == 0 && ::ftruncate(file.get(), static_cast<off_t>(arena_begin(size_))) != 0)
    fault = errno;
  if (fault != 0) {
    ::shm_unlink(name_.c_str());
    throw Error("no room for " + std::to_string(bytes) +
                    " bytes of shared memory: " + std::generic_category().message(fault),
                where(), "Make /dev/shm larger (docker run --shm-size) or the slots smaller");
  }
  map(std::move(file), arena_begin(size_));
  head_ = new (segment_->memory) SharedHead;
  for (std::size_t rank = 0; rank < size_; ++rank) new (&ranks_[rank]) SharedRank;
  head_->ranks = size_;
  head_->slot_bytes = room_.slot_bytes;
  head_->array_bytes = room_.array_bytes;
  head_->ready.store(SharedHead::kReady, std::memory_order_release);
}

DUALAGENT_INLINE void SharedMemoryGroup::remove_leftovers() const {
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

DUALAGENT_INLINE bool SharedMemoryGroup::try_to_open() {
  FileDescriptor file(::shm_open(name_.c_str(), O_RDWR, 0));
  if (file.get() < 0 && errno != ENOENT) throw_file_error("open", where(), errno);
  struct stat facts {};
  if (file.get() < 0 || lock(file.get(), F_OFD_GETLK, 0) || ::fstat(file.get(), &facts) != 0 ||
      static_cast<std::size_t>(facts.st_size) < page_rounded(sizeof(SharedHead)))
    return false;
  map(std::move(file), static_cast<std::size_t>(facts.st_size));
  if (head_->ready.load(std::memory_order_acquire) != SharedHead::kReady) return false;
  const SharedRoom theirs{head_->slot_bytes, head_->array_bytes};
  if (head_->ranks != size_ || theirs != room_)
    throw Error("rank 0 has " + text_of(head_->ranks, theirs) + ", rank " + std::to_string(rank_) +
                    " has " + text_of(size_, room_),
                where());
  if (segment_->bytes != arena_begin(size_)) return false;  // mapped before it had its size
  if (!lock(segment_->file.get(), F_OFD_SETLK, rank_))
    throw Error("rank " + std::to_string(rank_) + " is there already", where(),
                "Start each rank once");
  return true;
}

DUALAGENT_INLINE std::string SharedMemoryGroup::text_of(std::size_t ranks, const SharedRoom& room) {
  return std::to_string(ranks) + " ranks, slots of " + std::to_string(room.slot_bytes) +
         " bytes and " + std::to_string(room.array_bytes) + " bytes for arrays";
}

DUALAGENT_INLINE void SharedMemoryGroup::map(FileDescriptor file, std::size_t bytes) {
  segment_ = std::make_shared<SharedSegment>(std::move(file), bytes, where());
  head_ = reinterpret_cast<SharedHead*>(segment_->memory);
  ranks_ = reinterpret_cast<SharedRank*>(segment_->memory + sizeof(SharedHead));
}

DUALAGENT_INLINE void SharedMemoryGroup::meet(double timeout_seconds) {
  std::string missing;
  const auto all_are_there = [&] {
    missing.clear();
    for (std::size_t rank = 0; rank < size_; ++rank)
      if (ranks_[rank].process == 0)
        missing += " " + std::to_string(rank);
      else if (rank != rank_ && ranks_[rank].left == 0 &&
               lock(segment_->file.get(), F_OFD_GETLK, rank))
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

DUALAGENT_INLINE void SharedMemoryGroup::require_present(std::size_t rank, const SharedCount& count,
                                                         std::uint32_t wanted) {
  require_alive();
  const bool left = ranks_[rank].left == 1;
  if (!left && (rank == rank_ || !lock(segment_->file.get(), F_OFD_GETLK, rank))) return;
  if (count.reached(wanted)) return;  // it brought this before it went
  fail(left ? "rank " + std::to_string(rank) + " has left the group" : died(rank));
  require_alive();
}

}  // namespace dualagent::detail
