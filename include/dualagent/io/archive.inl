#pragma once

/// Definitions of archive.hpp; see core/compiled.hpp.

#include "dualagent/io/archive.hpp"

namespace dualagent {

DUALAGENT_INLINE std::size_t ArchiveReader::count(std::string_view what, std::size_t bytes_each) {
  const std::uint64_t value = number<std::uint64_t>(what);
  if (value > (bytes_.size() - at_) / bytes_each) ended_within(what);
  return static_cast<std::size_t>(value);
}

DUALAGENT_INLINE std::string ArchiveReader::text(std::string_view what) {
  const std::size_t size = count(what);
  const std::span<const std::byte> bytes = next(size, 1, what);
  return {reinterpret_cast<const char*>(bytes.data()), size};
}

DUALAGENT_INLINE std::span<const std::byte> ArchiveReader::next(std::size_t count,
                                                                std::size_t bytes_each,
                                                                std::string_view what) {
  if (count > (bytes_.size() - at_) / bytes_each) ended_within(what);
  const std::span<const std::byte> found = bytes_.subspan(at_, count * bytes_each);
  at_ += found.size();
  return found;
}

}  // namespace dualagent
