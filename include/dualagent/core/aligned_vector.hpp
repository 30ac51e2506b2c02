#pragma once

#include <cstddef>
#include <new>
#include <vector>

namespace dualagent {

/// Allocates at multiples of 64 bytes: a cache line, and the widest vector register, so that no
/// load of a whole vector touches two lines.
template <class T>
struct AlignedAllocator {
  using value_type = T;
  static constexpr std::size_t alignment = 64;  // bytes

  AlignedAllocator() = default;
  template <class U>
  constexpr AlignedAllocator(const AlignedAllocator<U>&) noexcept {}

  T* allocate(std::size_t count) {
    if (count > static_cast<std::size_t>(-1) / sizeof(T)) throw std::bad_array_new_length();
    return static_cast<T*>(::operator new (count * sizeof(T), std::align_val_t{alignment}));
  }
  void deallocate(T* memory, std::size_t) noexcept {
    ::operator delete (memory, std::align_val_t{alignment});
  }
  friend constexpr bool operator==(const AlignedAllocator&, const AlignedAllocator&) = default;
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
