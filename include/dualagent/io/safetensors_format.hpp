#pragma once

#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "dualagent/core/compiled.hpp"

/// What reading and writing safetensors files share: element types, shapes and limits.
namespace dualagent {

static_assert(std::endian::native == std::endian::little,
              "safetensors files are little-endian; this machine is not");

/// Element types of safetensors files, in the order in which the reference package ranks them.
enum class DType : std::uint8_t {
  boolean,
  u8,
  i8,
  f8_e5m2,
  f8_e4m3,
  f8_e8m0,
  i16,
  u16,
  f16,
  bf16,
  i32,
  u32,
  f32,
  c64,
  f64,
  i64,
  u64,
};

namespace detail {

struct DTypeInfo {
  std::string_view name;
  std::size_t size_bytes;
};

inline constexpr std::array<DTypeInfo, 17> kDTypes{{{"BOOL", 1},
                                                    {"U8", 1},
                                                    {"I8", 1},
                                                    {"F8_E5M2", 1},
                                                    {"F8_E4M3", 1},
                                                    {"F8_E8M0", 1},
                                                    {"I16", 2},
                                                    {"U16", 2},
                                                    {"F16", 2},
                                                    {"BF16", 2},
                                                    {"I32", 4},
                                                    {"U32", 4},
                                                    {"F32", 4},
                                                    {"C64", 8},
                                                    {"F64", 8},
                                                    {"I64", 8},
                                                    {"U64", 8}}};

}  // namespace detail

/// Name in the file, e.g. "BF16".
inline constexpr std::string_view to_string(DType dtype) {
  return detail::kDTypes[static_cast<std::size_t>(dtype)].name;
}
/// Bytes of one element.
inline constexpr std::size_t size_bytes(DType dtype) {
  return detail::kDTypes[static_cast<std::size_t>(dtype)].size_bytes;
}
/// The type that files call `name`; nothing for another name.
inline constexpr std::optional<DType> parse_dtype(std::string_view name) {
  for (std::size_t i = 0; i < detail::kDTypes.size(); ++i)
    if (detail::kDTypes[i].name == name) return static_cast<DType>(i);
  return std::nullopt;
}

/// The element type that stores a C++ type without change.
template <class T>
inline constexpr DType dtype_of() {
  if constexpr (std::same_as<T, float>) return DType::f32;
  if constexpr (std::same_as<T, double>) return DType::f64;
  if constexpr (std::same_as<T, std::uint8_t>) return DType::u8;
  if constexpr (std::same_as<T, std::int32_t>) return DType::i32;
  if constexpr (std::same_as<T, std::int64_t>) return DType::i64;
  if constexpr (std::same_as<T, std::uint64_t>) return DType::u64;
}

/// C++ types whose arrays are read and written.
template <class T>
concept TensorScalar = std::same_as<T, float> || std::same_as<T, double> ||
    std::same_as<T, std::uint8_t> || std::same_as<T, std::int32_t> ||
    std::same_as<T, std::int64_t> || std::same_as<T, std::uint64_t>;

/// The strings of __metadata__.
using SafeTensorsMetadata = std::map<std::string, std::string>;

/// "[2, 3]"
std::string shape_to_string(std::span<const std::size_t> shape);

namespace detail {

inline constexpr std::size_t kSafeTensorsLengthBytes = 8;
inline constexpr std::size_t kMaxSafeTensorsHeaderBytes = 100'000'000;  // as the reference package

/// Product of a shape, times the bytes of an element; nothing when it does not fit size_t.
std::optional<std::size_t> checked_product(std::span<const std::size_t> shape, std::size_t factor);

}  // namespace detail

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/io/safetensors_format.inl"
#endif
