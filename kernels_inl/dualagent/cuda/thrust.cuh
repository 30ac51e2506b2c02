#pragma once

#include <thrust/device_vector.h>
#include <thrust/iterator/iterator_traits.h>
#include <thrust/memory.h>
#include <thrust/type_traits/is_contiguous_iterator.h>

#include <cstddef>
#include <type_traits>

#include "dualagent/kernels/host_device.inl"

/// What users of Thrust keep on the device, as the loops of gpu::Loops take it.
///
/// Thrust's algorithms run in the default stream, as `Loops` does unless it is given another;
/// thrust::cuda::par.on(machine.stream()) makes them follow it.
namespace dualagent::gpu {

namespace detail {

template <class Iterator>
inline constexpr bool kOnDevice =
    std::is_convertible_v<thrust::iterator_system_t<Iterator>, thrust::device_system_tag>;

template <class Iterator>
struct Read {
  Iterator first;
  DUALAGENT_HD auto operator()(std::size_t i) const {  // a value, not a reference
    return thrust::raw_reference_cast(first[static_cast<std::ptrdiff_t>(i)]);
  }
};

}  // namespace detail

/// Where the numbers lie that a device iterator goes over, e.g. that of a thrust::device_vector:
/// what the algorithms of loops/ take as a column. Valid as long as the vector is not resized.
template <class Iterator>
auto device_pointer(Iterator first) {
  static_assert(thrust::is_contiguous_iterator_v<Iterator> && detail::kOnDevice<Iterator>,
                "dualagent: a column is memory of the device: a thrust::device_vector or an "
                "iterator of one; copy other sequences into one with thrust::copy");
  return thrust::raw_pointer_cast(&*first);
}
template <class T, class Allocator>
T* device_pointer(thrust::device_vector<T, Allocator>& column) {
  return thrust::raw_pointer_cast(column.data());
}
template <class T, class Allocator>
const T* device_pointer(const thrust::device_vector<T, Allocator>& column) {
  return thrust::raw_pointer_cast(column.data());
}

/// The map of `Loops::map_reduce` that reads element i of any device iterator of random access: one
/// of a thrust::device_vector, a transform, zip, counting or constant iterator.
/// Example: machine.map_reduce(n, kernels::Sum<double>{}, read_from(losses.begin()))
template <class Iterator>
auto read_from(Iterator first) {
  static_assert(detail::kOnDevice<Iterator>,
                "dualagent: the loops of a device read memory of the device; copy host numbers "
                "into a thrust::device_vector");
  return detail::Read<Iterator>{first};
}

}  // namespace dualagent::gpu
