#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "dualagent/core/error.hpp"
#include "dualagent/core/half_float.hpp"
#include "dualagent/core/json.hpp"
#include "dualagent/core/printable.hpp"
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

/// The element type that the tensor has in the file.
inline DType stored_dtype(const TensorSource& tensor) {
  if (tensor.stored_as) return *tensor.stored_as;
  return std::visit(
      [](auto values) {
        return dtype_of<std::remove_const_t<typename decltype(values)::element_type>>();
      },
      tensor.values);
}

/// Orders tensors as the reference package does: widest element type first, then by name.
inline void sort_tensors(std::vector<TensorSource>& tensors) {
  std::sort(tensors.begin(), tensors.end(), [](const TensorSource& a, const TensorSource& b) {
    const DType dtype_a = stored_dtype(a);
    const DType dtype_b = stored_dtype(b);
    return dtype_a != dtype_b ? dtype_a > dtype_b : a.name < b.name;
  });
}

namespace detail {

inline std::size_t source_bytes(const TensorSource& tensor, const std::string& where) {
  const DType dtype = stored_dtype(tensor);
  const std::size_t elements = std::visit([](auto values) { return values.size(); }, tensor.values);
  if (checked_product(tensor.shape, 1) != elements)
    throw Error("tensor \"" + printable(tensor.name) + "\" has " + std::to_string(elements) +
                    " values, but its shape is " + shape_to_string(tensor.shape),
                where, "Pass a shape whose product is the number of values");
  return elements * size_bytes(dtype);
}

/// Everything before the data: length, JSON, spaces up to a multiple of 8 bytes; data in the order
/// of `tensors`.
inline std::string safetensors_header(std::span<const TensorSource> tensors,
                                      const SafeTensorsMetadata& metadata,
                                      const std::string& where) {
  std::string json = "{";
  if (!metadata.empty()) {
    json += "\"__metadata__\":{";
    for (const auto& [key, value] : metadata)
      json += to_json_string(key, where) + ":" + to_json_string(value, where) + ",";
    json.back() = '}';
    json += ',';
  }
  std::set<std::string_view> names{"__metadata__"};
  std::size_t begin = 0;
  for (const TensorSource& tensor : tensors) {
    if (!names.insert(tensor.name).second)
      throw Error("tensor name \"" + printable(tensor.name) + "\" is used twice or reserved", where,
                  "Give each tensor its own name");
    const std::size_t end = begin + source_bytes(tensor, where);
    std::string shape = shape_to_string(tensor.shape);
    shape.erase(std::remove(shape.begin(), shape.end(), ' '), shape.end());
    json += to_json_string(tensor.name, where) + ":{\"dtype\":\"" +
            std::string(to_string(stored_dtype(tensor))) + "\",\"shape\":" + shape +
            ",\"data_offsets\":[" + std::to_string(begin) + "," + std::to_string(end) + "]},";
    begin = end;
  }
  if (json.back() == ',') json.pop_back();
  json += '}';
  json.resize((json.size() + 7) / 8 * 8, ' ');
  if (json.size() > kMaxSafeTensorsHeaderBytes)
    throw Error(
        "header of " + std::to_string(json.size()) + " bytes is larger than the format allows",
        where, "Store large texts as tensors instead of metadata");
  const std::uint64_t length = json.size();
  std::string result(sizeof length, '\0');
  std::memcpy(result.data(), &length, sizeof length);
  return result + json;
}

/// Hands converted values to the sink in pieces of a few KiB.
template <class Stored, class T, class Sink, class Encode>
void stream_converted(Sink& sink, const TensorSource& tensor, std::span<const T> values,
                      const std::string& where, Encode encode) {
  std::array<Stored, 4096> piece;
  for (std::size_t begin = 0; begin < values.size(); begin += piece.size()) {
    const std::size_t count = std::min(piece.size(), values.size() - begin);
    for (std::size_t i = 0; i < count; ++i)
      if (!encode(values[begin + i], piece[i]))
        throw Error("tensor \"" + printable(tensor.name) + "\" has a value too large for " +
                        std::string(to_string(stored_dtype(tensor))) + " at element " +
                        std::to_string(begin + i),
                    where, "Store it with a wider element type");
    sink.write(std::as_bytes(std::span(piece.data(), count)));
  }
}

template <class Sink, class T>
void stream_values(Sink& sink, const TensorSource& tensor, std::span<const T> values,
                   const std::string& where) {
  const DType dtype = stored_dtype(tensor);
  if (dtype == dtype_of<T>()) return sink.write(std::as_bytes(values));
  // Each encoder returns false when a finite value became infinite.
  if constexpr (std::floating_point<T>) switch (dtype) {
      case DType::f64:
        return stream_converted<double>(sink, tensor, values, where, [](T value, double& out) {
          out = static_cast<double>(value);
          return true;
        });
      case DType::f32:
        return stream_converted<float>(sink, tensor, values, where, [](T value, float& out) {
          out = static_cast<float>(value);
          return !std::isinf(out) || std::isinf(value);
        });
      case DType::f16:
        return stream_converted<std::uint16_t>(
            sink, tensor, values, where, [](T value, std::uint16_t& out) {
              out = to_float16(static_cast<double>(value));
              return (out & 0x7FFF) != 0x7C00 || std::isinf(value);
            });
      case DType::bf16:
        return stream_converted<std::uint16_t>(
            sink, tensor, values, where, [](T value, std::uint16_t& out) {
              out = to_bfloat16(static_cast<double>(value));
              return (out & 0x7FFF) != 0x7F80 || std::isinf(value);
            });
      default:
        break;
    }
  throw Error("tensor \"" + printable(tensor.name) + "\" of " +
                  std::string(to_string(dtype_of<T>())) + " cannot be stored as " +
                  std::string(to_string(dtype)),
              where, "Leave stored_as empty");
}

}  // namespace detail

/// Writes tensors in the given order to anything with `write(std::span<const std::byte>)`.
///
/// Bytes depend on the arguments only. Memory: one small piece at a time; nothing is copied whole.
/// Errors: Error for a duplicate or reserved name, a shape that does not fit its values, text that
/// is not UTF-8, a value too large for its element type, and whatever the sink throws.
template <class Sink>
void stream_safetensors(Sink& sink, std::span<const TensorSource> tensors,
                        const SafeTensorsMetadata& metadata, const std::string& where) {
  sink.write(std::as_bytes(
      std::span(std::string_view(detail::safetensors_header(tensors, metadata, where)))));
  for (const TensorSource& tensor : tensors)
    std::visit([&](auto values) { detail::stream_values(sink, tensor, values, where); },
               tensor.values);
}

/// Writes a safetensors file atomically, byte for byte as the reference package would.
///
/// Tensors are sorted with `sort_tensors`, metadata by key (the reference package leaves that order
/// open). Errors: as `AtomicFile` and `stream_safetensors`.
/// Example: write_safetensors("w.safetensors", {{"w", {2, 3}, std::span<const float>(w)}});
inline void write_safetensors(const std::filesystem::path& path, std::vector<TensorSource> tensors,
                              const SafeTensorsMetadata& metadata = {}) {
  sort_tensors(tensors);
  AtomicFile file(path);
  stream_safetensors(file, tensors, metadata, path.string());
  file.commit();
}

}  // namespace dualagent
