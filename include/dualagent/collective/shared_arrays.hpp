#pragma once

#include <fcntl.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "dualagent/core/aligned_vector.hpp"

namespace dualagent::detail {

/// A part of a file that is mapped here and in other processes, in which arrays are made. A page of
/// the file takes memory from when an array lies in it until that is gone.
class SharedArena {
 public:
  /// `memory` is where `bytes` of `file` from `offset` on are mapped; `owner` keeps both alive.
  SharedArena(std::shared_ptr<const void> owner, int file, std::size_t offset, std::byte* memory,
              std::size_t bytes)
      : owner_(std::move(owner)), file_(file), offset_(offset), memory_(memory), bytes_(bytes) {
    if (bytes > 0) free_.emplace(0, bytes);
  }

  /// The first gap that is large enough; null if there is none, or no room for its pages.
  void* allocate(std::size_t bytes) {
    const std::size_t pages = (std::max<std::size_t>(bytes, 1) + kPage - 1) / kPage * kPage;
    const auto gap =
        std::ranges::find_if(free_, [&](const auto& one) { return one.second >= pages; });
    if (gap == free_.end()) return nullptr;
    const auto [begin, size] = *gap;
    if (::fallocate(file_, 0, position(begin), static_cast<off_t>(pages)) != 0) return nullptr;
    free_.erase(gap);
    if (size > pages) free_.emplace(begin + pages, size - pages);
    used_.emplace(begin, pages);
    return memory_ + begin;
  }

  /// Whether the memory was one of its arrays.
  bool deallocate(void* memory) {
    if (!holds(memory, 0)) return false;
    const auto array =
        used_.find(static_cast<std::size_t>(static_cast<std::byte*>(memory) - memory_));
    if (array == used_.end()) return false;
    auto [begin, size] = *array;
    used_.erase(array);
    ::fallocate(file_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, position(begin),
                static_cast<off_t>(size));
    const auto after = free_.find(begin + size);
    if (after != free_.end()) size += after->second, free_.erase(after);
    const auto next = free_.lower_bound(begin);
    if (next != free_.begin() && std::prev(next)->first + std::prev(next)->second == begin)
      std::prev(next)->second += size;
    else
      free_.emplace(begin, size);
    return true;
  }

  bool is_empty() const { return used_.empty(); }
  /// Whether an array of so many bytes lies in it as a whole.
  bool holds(const void* memory, std::size_t bytes) const {
    const auto* const begin = static_cast<const std::byte*>(memory);
    return begin >= memory_ && begin < memory_ + bytes_ &&
           bytes <= static_cast<std::size_t>(memory_ + bytes_ - begin);
  }

 private:
  static constexpr std::size_t kPage = 4096;
  off_t position(std::size_t begin) const { return static_cast<off_t>(offset_ + begin); }

  std::shared_ptr<const void> owner_;
  int file_;
  std::size_t offset_;
  std::byte* memory_;
  std::size_t bytes_;
  std::map<std::size_t, std::size_t> free_, used_;  // bytes by their beginning
};

/// The arenas of this process, from which large AlignedVectors are taken: from the one that was
/// added last, where it has room. May be used from any thread.
class SharedArrays {
 public:
  static SharedArrays& of_process() {
    static SharedArrays& all = *new SharedArrays;  // arrays may go after all statics have
    return all;
  }

  void add(std::shared_ptr<SharedArena> arena) {
    const std::lock_guard lock(mutex_);
    arenas_.push_back({std::move(arena), true});
    large_arrays.store(&kSource, std::memory_order_release);
  }
  /// No more arrays are made there; those that are there stay.
  void close(const SharedArena* arena) {
    const std::lock_guard lock(mutex_);
    for (Entry& entry : arenas_) entry.is_open = entry.is_open && entry.arena.get() != arena;
    forget_empty();
  }

 private:
  struct Entry {
    std::shared_ptr<SharedArena> arena;
    bool is_open;
  };

  static void* allocate(std::size_t bytes) noexcept {
    SharedArrays& all = of_process();
    const std::lock_guard lock(all.mutex_);
    if (all.arenas_.empty() || !all.arenas_.back().is_open) return nullptr;
    try {
      return all.arenas_.back().arena->allocate(bytes);
    } catch (...) {  // no memory for its lists
      return nullptr;
    }
  }
  static bool deallocate(void* memory) noexcept {
    SharedArrays& all = of_process();
    const std::lock_guard lock(all.mutex_);
    const bool found = std::ranges::any_of(
        all.arenas_, [&](Entry& entry) { return entry.arena->deallocate(memory); });
    if (found) all.forget_empty();
    return found;
  }
  void forget_empty() {
    std::erase_if(arenas_, [](const Entry& e) { return !e.is_open && e.arena->is_empty(); });
  }

  static constexpr LargeArrays kSource{&SharedArrays::allocate, &SharedArrays::deallocate};
  std::mutex mutex_;
  std::vector<Entry> arenas_;
};

}  // namespace dualagent::detail
