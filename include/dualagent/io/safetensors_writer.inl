#pragma once

/// Definitions of safetensors_writer.hpp; see core/compiled.hpp.

#include "dualagent/io/safetensors_writer.hpp"

namespace dualagent {

DUALAGENT_INLINE DType stored_dtype(const TensorSource& tensor) {
  if (tensor.stored_as) return *tensor.stored_as;
  return std::visit(
      [](auto values) {
        return dtype_of<std::remove_const_t<typename decltype(values)::element_type>>();
      },
      tensor.values);
}

DUALAGENT_INLINE void sort_tensors(std::vector<TensorSource>& tensors) {
  sort_by_index(tensors, [&](std::size_t i, std::size_t j) {
    const TensorSource& a = tensors[i];
    const TensorSource& b = tensors[j];
    const DType dtype_a = stored_dtype(a);
    const DType dtype_b = stored_dtype(b);
    return dtype_a != dtype_b ? dtype_a > dtype_b : a.name < b.name;
  });
}

}  // namespace dualagent

namespace dualagent::detail {

DUALAGENT_INLINE std::size_t source_bytes(const TensorSource& tensor, const std::string& where) {
  const DType dtype = stored_dtype(tensor);
  const std::size_t elements = std::visit([](auto values) { return values.size(); }, tensor.values);
  if (checked_product(tensor.shape, 1) != elements)
    throw Error("tensor \"" + printable(tensor.name) + "\" has " + std::to_string(elements) +
                    " values, but its shape is " + shape_to_string(tensor.shape),
                where, "Pass a shape whose product is the number of values");
  return elements * size_bytes(dtype);
}

DUALAGENT_INLINE std::string safetensors_header(std::span<const TensorSource> tensors,
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

/// Writes `value` as an element of a floating-point type to `out`; false when it became infinite.
inline bool encode_element(double value, DType dtype, std::byte* out) {
  const auto put = [&](auto encoded) { std::memcpy(out, &encoded, sizeof encoded); };
  if (dtype == DType::f64) return put(value), true;
  if (dtype == DType::f32) {
    const auto narrow = static_cast<float>(value);
    return put(narrow), !std::isinf(narrow) || std::isinf(value);
  }
  const bool half = dtype == DType::f16;
  const std::uint16_t narrow = half ? to_float16(value) : to_bfloat16(value);
  return put(narrow), (narrow & 0x7FFF) != (half ? 0x7C00 : 0x7F80) || std::isinf(value);
}

/// Hands out the values as elements of `dtype`, in pieces of a few KiB. float passes through double
/// exactly, so that each value is rounded once.
template <std::floating_point T>
void stream_converted(const ByteSink& write, const TensorSource& tensor, std::span<const T> values,
                      DType dtype, const std::string& where) {
  constexpr std::size_t kPiece = 2048;
  std::array<std::byte, kPiece * sizeof(double)> piece;
  for (std::size_t begin = 0; begin < values.size(); begin += kPiece) {
    const std::size_t count = std::min(kPiece, values.size() - begin);
    for (std::size_t i = 0; i < count; ++i)
      if (!encode_element(values[begin + i], dtype, piece.data() + i * size_bytes(dtype)))
        throw Error("tensor \"" + printable(tensor.name) + "\" has a value too large for " +
                        std::string(to_string(dtype)) + " at element " + std::to_string(begin + i),
                    where, "Store it with a wider element type");
    write(std::span(piece.data(), count * size_bytes(dtype)));
  }
}

DUALAGENT_INLINE void stream_values(const ByteSink& write, const TensorSource& tensor,
                                    const std::string& where) {
  const DType dtype = stored_dtype(tensor);
  const bool floating =
      dtype == DType::f64 || dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16;
  std::visit(
      [&]<class T>(std::span<const T> values) {
        if (dtype == dtype_of<T>()) return write(std::as_bytes(values));
        if constexpr (std::floating_point<T>)
          if (floating) return stream_converted(write, tensor, values, dtype, where);
        throw Error("tensor \"" + printable(tensor.name) + "\" of " +
                        std::string(to_string(dtype_of<T>())) + " cannot be stored as " +
                        std::string(to_string(dtype)),
                    where, "Leave stored_as empty");
      },
      tensor.values);
}

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE void stream_safetensors(const ByteSink& write,
                                         std::span<const TensorSource> tensors,
                                         const SafeTensorsMetadata& metadata,
                                         const std::string& where) {
  const std::string header = detail::safetensors_header(tensors, metadata, where);
  write(std::as_bytes(std::span(header)));
  for (const TensorSource& tensor : tensors) detail::stream_values(write, tensor, where);
}

DUALAGENT_INLINE void write_safetensors(const std::filesystem::path& path,
                                        std::vector<TensorSource> tensors,
                                        const SafeTensorsMetadata& metadata) {
  sort_tensors(tensors);
  AtomicFile file(path);
  stream_safetensors([&](std::span<const std::byte> bytes) { file.write(bytes); }, tensors,
                     metadata, path.string());
  file.commit();
}

}  // namespace dualagent
