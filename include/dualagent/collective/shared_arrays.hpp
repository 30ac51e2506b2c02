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
#include "dualagent/core/compiled.hpp"

namespace dualagent::detail {

/// A part of a file that is mapped here and in other processes, in which arrays are made. A page of
/// the file takes memory from when an array lies in it until that is gone.
class SharedArena {
 public:
  /// `memory` is where `bytes` of `file` from `offset` on are mapped; `owner` keeps both alive.
  SharedArena(std::shared_ptr<const void> owner, int file, std::size_t offset, std::byte* memory,
              std::size_t bytes);

  /// The first gap that is large enough; null if there is none, or no room for its pages.
  void* allocate(std::size_t bytes);

  /// Whether the memory was one of its arrays.
  bool deallocate(void* memory);

  bool is_empty() const { return used_.empty(); }
  /// Whether an array of so many bytes lies in it as a whole.
  bool holds(const void* memory, std::size_t bytes) const;

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

  void add(std::shared_ptr<SharedArena> arena);
  /// No more arrays are made there; those that are there stay.
  void close(const SharedArena* arena);

 private:
  struct Entry {
    std::shared_ptr<SharedArena> arena;
    bool is_open;
  };

  static void* allocate(std::size_t bytes) noexcept;
  static bool deallocate(void* memory) noexcept;
  void forget_empty() {
    std::erase_if(arenas_, [](const Entry& e) { return !e.is_open && e.arena->is_empty(); });
  }

  static constexpr LargeArrays kSource{&SharedArrays::allocate, &SharedArrays::deallocate};
  std::mutex mutex_;
  std::vector<Entry> arenas_;
};

}  // namespace dualagent::detail

#ifndef DUALAGENT_COMPILED
#include "dualagent/collective/shared_arrays.inl"
#endif
