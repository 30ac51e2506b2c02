#pragma once

#include <atomic>
#include <cstddef>
#include <new>
#include <vector>

namespace dualagent {

namespace detail {

/// Memory from which large arrays are taken while a program has it, e.g. one that others see, too.
struct LargeArrays {
  void* (*allocate)(
      std::size_t bytes) noexcept;            // at a multiple of 64; null: take the usual memory
  bool (*deallocate)(void* memory) noexcept;  // false: it is the usual memory
};
inline std::atomic<const LargeArrays*> large_arrays{nullptr};
inline constexpr std::size_t kLargeArrayBytes = std::size_t{1} << 20;

}  // namespace detail

/// Allocates at multiples of 64 bytes: a cache line, and the widest vector register, so that no
/// load of a whole vector touches two lines. Arrays of a mebibyte and more may come from memory
/// that ranks share (collective/shared_arrays.hpp).
template <class T>
struct AlignedAllocator {
  using value_type = T;
  static constexpr std::size_t alignment = 64;  // bytes

  AlignedAllocator() = default;
  template <class U>
  constexpr AlignedAllocator(const AlignedAllocator<U>&) noexcept {}

  T* allocate(std::size_t count) {
    if (count > static_cast<std::size_t>(-1) / sizeof(T)) throw std::bad_array_new_length();
    if (const detail::LargeArrays* const large = large_arrays_for(count))
      if (void* const memory = large->allocate(count * sizeof(T))) return static_cast<T*>(memory);
    return static_cast<T*>(::operator new (count * sizeof(T), std::align_val_t{alignment}));
  }
  void deallocate(T* memory, std::size_t count) noexcept {
    const detail::LargeArrays* const large = large_arrays_for(count);
    if (large != nullptr && large->deallocate(memory)) return;
    ::operator delete (memory, std::align_val_t{alignment});
  }
  friend constexpr bool operator==(const AlignedAllocator&, const AlignedAllocator&) = default;

 private:
  static const detail::LargeArrays* large_arrays_for(std::size_t count) noexcept {
    if (count < detail::kLargeArrayBytes / sizeof(T)) return nullptr;
    return detail::large_arrays.load(std::memory_order_acquire);
  }
};

/// A std::vector whose numbers begin at a multiple of 64 bytes.
template <class T>
using AlignedVector = std::vector<T, AlignedAllocator<T>>;

/// Makes a buffer at least `size` long; it never becomes shorter, so that the next use of the same
/// size allocates nothing.
template <class T>
void grow(AlignedVector<T>& buffer, std::size_t size) {
  if (buffer.size() < size) buffer.resize(size);
}

}  // namespace dualagent
