#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/half_float.hpp"
#include "dualagent/core/json.hpp"
#include "dualagent/core/printable.hpp"
#include "dualagent/core/sort_by_index.hpp"
#include "dualagent/io/atomic_file.hpp"
#include "dualagent/io/safetensors_format.hpp"

namespace dualagent {

/// Elements of a tensor that is to be written; not copied.
using TensorValues = std::variant<std::span<const float>, std::span<const double>,
                                  std::span<const std::uint8_t>, std::span<const std::int32_t>,
                                  std::span<const std::int64_t>, std::span<const std::uint64_t>>;

/// One tensor to write; `values` must stay valid until it is written.
struct TensorSource {
  std::string name;
  std::vector<std::size_t> shape;  // row-major
  TensorValues values;
  /// Empty stores the type of `values`; float and double may also become F64, F32, F16 or BF16,
  /// rounded to nearest, ties to even.
  std::optional<DType> stored_as = {};
};

/// Takes the bytes of a file, piece by piece.
using ByteSink = std::function<void(std::span<const std::byte>)>;

/// The element type that the tensor has in the file.
DType stored_dtype(const TensorSource& tensor);

/// Orders tensors as the reference package does: widest element type first, then by name.
void sort_tensors(std::vector<TensorSource>& tensors);

namespace detail {

std::size_t source_bytes(const TensorSource& tensor, const std::string& where);

/// Everything before the data: length, JSON, spaces up to a multiple of 8 bytes; data in the order
/// of `tensors`.
std::string safetensors_header(std::span<const TensorSource> tensors,
                               const SafeTensorsMetadata& metadata, const std::string& where);

void stream_values(const ByteSink& write, const TensorSource& tensor, const std::string& where);

}  // namespace detail

/// Writes tensors in the given order, as pieces of bytes that it hands to `write`.
///
/// Bytes depend on the arguments only. Memory: one small piece at a time; nothing is copied whole.
/// Errors: Error for a duplicate or reserved name, a shape that does not fit its values, text that
/// is not UTF-8, a value too large for its element type, and whatever `write` throws.
void stream_safetensors(const ByteSink& write, std::span<const TensorSource> tensors,
                        const SafeTensorsMetadata& metadata, const std::string& where);

/// Writes a safetensors file atomically, byte for byte as the reference package would.
///
/// Tensors are sorted with `sort_tensors`, metadata by key (the reference package leaves that order
/// open). Errors: as `AtomicFile` and `stream_safetensors`.
/// Example: write_safetensors("w.safetensors", {{"w", {2, 3}, std::span<const float>(w)}});
void write_safetensors(const std::filesystem::path& path, std::vector<TensorSource> tensors,
                       const SafeTensorsMetadata& metadata = {});

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/io/safetensors_writer.inl"
#endif
