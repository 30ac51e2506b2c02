#pragma once

/// Definitions of shared_memory_layout.hpp; see core/compiled.hpp.

#include "dualagent/collective/shared_memory_layout.hpp"

namespace dualagent::detail {

DUALAGENT_INLINE void SharedCount::sleep(std::uint32_t wanted) {
  const timespec limit{0, 100'000'000};
  sleepers.fetch_add(1);
  const std::uint32_t seen = value.load();
  if (!reached(wanted)) ::syscall(SYS_futex, &value, FUTEX_WAIT, seen, &limit, nullptr, 0);
  sleepers.fetch_sub(1);
}

DUALAGENT_INLINE std::string SharedRequest::text() const {
  std::string of =
      std::to_string(elements) + (type[0] == 'd' ? " doubles" : " floats") + " to " + operation;
  if (std::string_view(operation) == "broadcast") of += " from rank " + std::to_string(root);
  if (std::string_view(operation) == "reduce_sum") of += " on rank " + std::to_string(root);
  return of;
}

DUALAGENT_INLINE SharedSegment::SharedSegment(FileDescriptor opened, std::size_t size,
                                              const std::string& name)
    : file(std::move(opened)), bytes(size) {
  void* const mapped = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  if (mapped == MAP_FAILED) throw_file_error("map", name, errno);
  memory = static_cast<std::byte*>(mapped);
}

}  // namespace dualagent::detail
