#pragma once

/// Definitions of shared_arrays.hpp; see core/compiled.hpp.

#include "dualagent/collective/shared_arrays.hpp"

namespace dualagent::detail {

DUALAGENT_INLINE SharedArena::SharedArena(std::shared_ptr<const void> owner, int file,
                                          std::size_t offset, std::byte* memory, std::size_t bytes)
    : owner_(std::move(owner)), file_(file), offset_(offset), memory_(memory), bytes_(bytes) {
  if (bytes > 0) free_.emplace(0, bytes);
}

DUALAGENT_INLINE void* SharedArena::allocate(std::size_t bytes) {
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

DUALAGENT_INLINE bool SharedArena::deallocate(void* memory) {
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

DUALAGENT_INLINE bool SharedArena::holds(const void* memory, std::size_t bytes) const {
  const auto* const begin = static_cast<const std::byte*>(memory);
  return begin >= memory_ && begin < memory_ + bytes_ &&
         bytes <= static_cast<std::size_t>(memory_ + bytes_ - begin);
}

DUALAGENT_INLINE void SharedArrays::add(std::shared_ptr<SharedArena> arena) {
  const std::lock_guard lock(mutex_);
  arenas_.push_back({std::move(arena), true});
  large_arrays.store(&kSource, std::memory_order_release);
}

DUALAGENT_INLINE void SharedArrays::close(const SharedArena* arena) {
  const std::lock_guard lock(mutex_);
  for (Entry& entry : arenas_) entry.is_open = entry.is_open && entry.arena.get() != arena;
  forget_empty();
}

DUALAGENT_INLINE void* SharedArrays::allocate(std::size_t bytes) noexcept {
  SharedArrays& all = of_process();
  const std::lock_guard lock(all.mutex_);
  if (all.arenas_.empty() || !all.arenas_.back().is_open) return nullptr;
  try {
    return all.arenas_.back().arena->allocate(bytes);
  } catch (...) {  // no memory for its lists
    return nullptr;
  }
}

DUALAGENT_INLINE bool SharedArrays::deallocate(void* memory) noexcept {
  SharedArrays& all = of_process();
  const std::lock_guard lock(all.mutex_);
  const bool found = std::ranges::any_of(
      all.arenas_, [&](Entry& entry) { return entry.arena->deallocate(memory); });
  if (found) all.forget_empty();
  return found;
}

}  // namespace dualagent::detail
