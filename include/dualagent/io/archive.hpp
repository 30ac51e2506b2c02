#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"

namespace dualagent {

static_assert(std::endian::native == std::endian::little,
              "archives are little-endian; this machine is not");

/// What an archive holds as it lies in memory: integers of a fixed width, IEEE floats.
template <class T>
concept ArchiveNumber = (std::integral<T> && !std::same_as<T, bool>) ||
                        (std::floating_point<T> && std::numeric_limits<T>::is_iec559 &&
                         sizeof(T) <= 8);

/// Appends numbers and texts to bytes; the reader must ask for the same ones in the same order.
///
/// Numbers keep every bit, NaN payloads included. Little-endian.
class ArchiveWriter {
 public:
  template <ArchiveNumber T>
  void number(T value) {
    numbers(std::span<const T>(&value, 1));
  }
  /// The numbers alone; write their count before them if the reader cannot know it.
  template <ArchiveNumber T>
  void numbers(std::span<const T> values) {
    const std::size_t at = bytes_.size();
    bytes_.resize(at + values.size_bytes());
    if (!values.empty()) std::memcpy(bytes_.data() + at, values.data(), values.size_bytes());
  }
  void count(std::size_t value) { number(static_cast<std::uint64_t>(value)); }
  /// Count of bytes, then the bytes, whatever they are.
  void text(std::string_view value) {
    count(value.size());
    numbers(std::span<const char>(value));
  }

  std::span<const std::byte> bytes() const { return bytes_; }
  std::vector<std::byte> take() && { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
};

/// Reads what an ArchiveWriter wrote, from bytes that nobody vouches for.
///
/// `where` names the source in errors, `what` the thing that is read. Nothing is allocated that is
/// larger than the bytes that are left. Errors: Error when the bytes end too early.
class ArchiveReader {
 public:
  ArchiveReader(std::span<const std::byte> bytes, std::string where)
      : bytes_(bytes), where_(std::move(where)) {}

  template <ArchiveNumber T>
  T number(std::string_view what) {
    T value;
    std::memcpy(&value, next(1, sizeof value, what).data(), sizeof value);
    return value;
  }
  template <ArchiveNumber T>
  std::vector<T> numbers(std::size_t count, std::string_view what) {
    const std::span<const std::byte> bytes = next(count, sizeof(T), what);
    std::vector<T> values(count);
    if (count > 0) std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
  }
  /// A count of things of which each takes at least `bytes_each` of the bytes that follow.
  std::size_t count(std::string_view what, std::size_t bytes_each = 1);
  std::string text(std::string_view what);

  const std::string& where() const { return where_; }
  bool at_end() const { return at_ == bytes_.size(); }

  /// Errors: Error when bytes are left.
  void require_end() const {
    if (at_ != bytes_.size())
      fail(std::to_string(bytes_.size() - at_) + " bytes follow the end of the archive");
  }

  /// Throws Error: `problem`, the source and the byte where reading stopped.
  [[noreturn]] void fail(const std::string& problem) const {
    throw Error(problem, where_ + ", byte " + std::to_string(at_),
                "The bytes were changed, or another program wrote them");
  }

 private:
  std::span<const std::byte> next(std::size_t count, std::size_t bytes_each, std::string_view what);
  [[noreturn]] void ended_within(std::string_view what) const {
    fail("the archive ends within " + std::string(what));
  }

  std::span<const std::byte> bytes_;
  std::string where_;
  std::size_t at_ = 0;
};

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/io/archive.inl"
#endif
