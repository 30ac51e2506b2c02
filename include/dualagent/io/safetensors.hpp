#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "dualagent/core/atomic_file.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/half_float.hpp"
#include "dualagent/core/json.hpp"
#include "dualagent/core/printable.hpp"

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
inline constexpr std::size_t size_bytes(DType dtype) {
  return detail::kDTypes[static_cast<std::size_t>(dtype)].size_bytes;
}
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

/// One tensor of a file, not copied; `bytes` need not be aligned to the element.
struct TensorView {
  std::string name;
  DType dtype = DType::f32;
  std::vector<std::size_t> shape;  // row-major; empty for a scalar
  std::size_t size = 0;            // number of elements
  std::span<const std::byte> bytes;
};

/// "[2, 3]"
inline std::string shape_to_string(std::span<const std::size_t> shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i)
    text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return text + "]";
}

namespace detail {

inline constexpr std::size_t kSafeTensorsLengthBytes = 8;
inline constexpr std::size_t kMaxSafeTensorsHeaderBytes = 100'000'000;  // as the reference package

/// Product of a shape, times the bytes of an element; nothing when it does not fit size_t.
inline std::optional<std::size_t> checked_product(std::span<const std::size_t> shape,
                                                  std::size_t factor) {
  std::size_t product = factor;
  bool overflow = false;
  for (const std::size_t extent : shape)
    overflow |= __builtin_mul_overflow(product, extent, &product);
  if (overflow) return std::nullopt;
  return product;
}

/// Parses and checks the header of one file; see `SafeTensors` for the rules.
class SafeTensorsHeader {
 public:
  SafeTensorsHeader(std::span<const std::byte> file, const std::string& where)
      : where_(where), data_(file) {
    const std::string text = take_header(file);
    const nlohmann::json header = parse_json(text, where_, kRemedy, {.max_depth = 4});
    for (const auto& [name, value] : header.items())
      if (name == "__metadata__")
        read_metadata(value);
      else
        tensors_.push_back(read_tensor(name, value));
    check_coverage();
  }

  std::vector<TensorView> tensors() && { return std::move(tensors_); }
  std::map<std::string, std::string> metadata() && { return std::move(metadata_); }

 private:
  static constexpr const char* kRemedy =
      "The file is damaged, incomplete or not a safetensors file: fetch or write it again";

  [[noreturn]] void fail(const std::string& what, const std::string& tensor = {}) const {
    throw Error(what, tensor.empty() ? where_ : where_ + ": tensor \"" + printable(tensor) + "\"",
                kRemedy);
  }

  std::string take_header(std::span<const std::byte> file) {
    if (file.size() < kSafeTensorsLengthBytes)
      fail("a safetensors file starts with an 8-byte header length, this one has " +
           std::to_string(file.size()) + " bytes");
    std::uint64_t length = 0;
    std::memcpy(&length, file.data(), sizeof length);
    if (length > kMaxSafeTensorsHeaderBytes)
      fail("header of " + std::to_string(length) + " bytes is larger than the limit of " +
           std::to_string(kMaxSafeTensorsHeaderBytes));
    data_ = file.subspan(kSafeTensorsLengthBytes);
    if (length > data_.size())
      fail("header of " + std::to_string(length) + " bytes does not fit the file of " +
           std::to_string(file.size()) + " bytes");
    const std::string text(reinterpret_cast<const char*>(data_.data()), length);
    data_ = data_.subspan(length);
    if (text.empty() || text.front() != '{') fail("header does not start with '{'");
    return text;
  }

  void read_metadata(const nlohmann::json& value) {
    if (!value.is_object()) fail("__metadata__ is not an object");
    for (const auto& [key, text] : value.items()) {
      if (!text.is_string()) fail("__metadata__ entry \"" + printable(key) + "\" is not a string");
      metadata_.emplace(key, text.get<std::string>());
    }
  }

  TensorView read_tensor(const std::string& name, const nlohmann::json& value) {
    if (!value.is_object() || value.size() != 3 || !value.contains("dtype") ||
        !value.contains("shape") || !value.contains("data_offsets"))
      fail("tensor entry must have exactly dtype, shape and data_offsets", name);
    const nlohmann::json& dtype_name = value["dtype"];
    if (!dtype_name.is_string()) fail("dtype is not a string", name);
    const std::optional<DType> dtype = parse_dtype(dtype_name.get_ref<const std::string&>());
    if (!dtype)
      throw Error("dtype \"" + printable(dtype_name.get<std::string>()) + "\" is not supported",
                  where_ + ": tensor \"" + printable(name) + "\"",
                  "Convert the file, e.g. to F32 or BF16");
    TensorView tensor;
    tensor.name = name;
    tensor.dtype = *dtype;
    tensor.shape = read_sizes(value["shape"], "shape", name);
    place_tensor(tensor, read_sizes(value["data_offsets"], "data_offsets", name));
    return tensor;
  }

  std::vector<std::size_t> read_sizes(const nlohmann::json& value, const std::string& field,
                                      const std::string& tensor) const {
    if (!value.is_array()) fail(field + " is not an array", tensor);
    std::vector<std::size_t> sizes;
    sizes.reserve(value.size());
    for (const nlohmann::json& entry : value) {
      if (!entry.is_number_unsigned()) fail(field + " holds something else than sizes", tensor);
      sizes.push_back(entry.get<std::size_t>());
    }
    return sizes;
  }

  void place_tensor(TensorView& tensor, const std::vector<std::size_t>& offsets) const {
    if (offsets.size() != 2) fail("data_offsets must be [begin, end]", tensor.name);
    const auto [begin, end] = std::pair(offsets[0], offsets[1]);
    const std::string range = "[" + std::to_string(begin) + ", " + std::to_string(end) + ")";
    if (begin > end || end > data_.size())
      fail("data_offsets " + range + " are outside the " + std::to_string(data_.size()) +
               " bytes of data",
           tensor.name);
    const std::optional<std::size_t> bytes =
        checked_product(tensor.shape, size_bytes(tensor.dtype));
    if (!bytes || *bytes != end - begin)
      fail("shape " + shape_to_string(tensor.shape) + " of " +
               std::string(to_string(tensor.dtype)) + " does not fill the data_offsets " + range,
           tensor.name);
    tensor.size = *bytes / size_bytes(tensor.dtype);
    tensor.bytes = data_.subspan(begin, end - begin);
  }

  /// Tensors, in the order of their data, must follow each other without gap from 0 to the end.
  void check_coverage() {
    const auto place = [&](const TensorView& tensor) {
      return std::pair(tensor.bytes.data(), tensor.bytes.data() + tensor.bytes.size());
    };
    std::sort(tensors_.begin(), tensors_.end(), [&](const TensorView& a, const TensorView& b) {
      return std::tuple(place(a), std::string_view(a.name)) <
             std::tuple(place(b), std::string_view(b.name));
    });
    const std::byte* expected = data_.data();
    for (const TensorView& tensor : tensors_) {
      if (place(tensor).first != expected)
        fail("data begin at offset " + std::to_string(place(tensor).first - data_.data()) +
                 " instead of " + std::to_string(expected - data_.data()) +
                 ": tensors overlap or leave a gap",
             tensor.name);
      expected = place(tensor).second;
    }
    const auto described = static_cast<std::size_t>(expected - data_.data());
    if (described != data_.size())
      fail("tensors describe " + std::to_string(described) + " bytes of data, the file has " +
           std::to_string(data_.size()));
  }

  const std::string& where_;
  std::span<const std::byte> data_;
  std::vector<TensorView> tensors_;
  std::map<std::string, std::string> metadata_;
};

}  // namespace detail

/// The tensors of one safetensors file, read strictly and without copying.
///
/// Accepted is what the format promises: an 8-byte little-endian header length (at most 100 MB), a
/// JSON header that starts with '{', per tensor exactly dtype, shape and data_offsets,
/// `__metadata__` of strings; no duplicate names; the data of the tensors follow each other without
/// gap or overlap and fill the file. Sub-byte element types are refused. Errors: Error naming file,
/// tensor and offset for everything else. Source: https://github.com/huggingface/safetensors,
/// "Format". Example: SafeTensors file = SafeTensors::open("model.safetensors");
///          std::vector<float> weights = file.values<float>("lm_head.weight");
class SafeTensors {
 public:
  /// Maps a file; views are valid as long as the object (or what it was moved to) lives.
  static SafeTensors open(const std::filesystem::path& path) {
    return own(MappedFile(path), path.string());
  }

  /// The same for a file that is mapped already; `where` names it in errors.
  static SafeTensors own(MappedFile file, std::string where) {
    SafeTensors result(file.bytes(), std::move(where));
    result.file_.emplace(std::move(file));
    return result;
  }

  /// Reads from memory that outlives the object; `where` names it in errors.
  static SafeTensors view(std::span<const std::byte> bytes, std::string where) {
    return SafeTensors(bytes, std::move(where));
  }

  /// In the order of their data.
  std::span<const TensorView> tensors() const { return tensors_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  /// The file's name, for errors.
  const std::string& where() const { return where_; }

  /// Null when there is no such tensor.
  const TensorView* find(std::string_view name) const {
    const auto found = index_.find(name);
    return found == index_.end() ? nullptr : &tensors_[found->second];
  }
  /// Errors: Error when there is no such tensor.
  const TensorView& at(std::string_view name) const {
    if (const TensorView* tensor = find(name)) return *tensor;
    throw Error("there is no tensor \"" + printable(name) + "\"", where_,
                "The file has " + std::to_string(tensors_.size()) + " other tensors");
  }

  /// Copies a tensor's elements, converted where that loses no meaning.
  ///
  /// float and double take F64, F32, F16 and BF16 (F64 to float is rounded to nearest); other types
  /// and equal types are copied bit by bit. `out` has the tensor's size.
  /// Errors: Error naming the tensor for another element type, another size, or a finite value that
  /// is too large for T.
  template <TensorScalar T>
  void copy_to(std::string_view name, std::span<T> out) const {
    const TensorView& tensor = at(name);
    if (out.size() != tensor.size)
      fail(tensor, "has " + std::to_string(tensor.size) + " elements, expected " +
                       std::to_string(out.size()));
    if (tensor.dtype == dtype_of<T>()) {
      if (!out.empty()) std::memcpy(out.data(), tensor.bytes.data(), tensor.bytes.size());
      return;
    }
    if constexpr (std::floating_point<T>) switch (tensor.dtype) {
        case DType::f64:
          return convert<double>(tensor, out, [](double value) { return value; });
        case DType::f32:
          return convert<float>(tensor, out, [](float value) { return value; });
        case DType::f16:
          return convert<std::uint16_t>(tensor, out, float16_to_float);
        case DType::bf16:
          return convert<std::uint16_t>(tensor, out, bfloat16_to_float);
        default:
          break;
      }
    fail(tensor, "has elements of type " + std::string(to_string(tensor.dtype)) +
                     ", which cannot be read as " + std::string(to_string(dtype_of<T>())));
  }

  template <TensorScalar T>
  std::vector<T> values(std::string_view name) const {
    std::vector<T> result(at(name).size);
    copy_to<T>(name, result);
    return result;
  }

 private:
  SafeTensors(std::span<const std::byte> bytes, std::string where) : where_(std::move(where)) {
    detail::SafeTensorsHeader header(bytes, where_);
    tensors_ = std::move(header).tensors();
    metadata_ = std::move(header).metadata();
    for (std::size_t i = 0; i < tensors_.size(); ++i) index_.emplace(tensors_[i].name, i);
  }

  [[noreturn]] void fail(const TensorView& tensor, const std::string& what) const {
    throw Error("tensor \"" + printable(tensor.name) + "\" " + what, where_,
                "Use a file that was written for this purpose, or convert it");
  }

  template <class Stored, class T, class Decode>
  void convert(const TensorView& tensor, std::span<T> out, Decode decode) const {
    for (std::size_t i = 0; i < out.size(); ++i) {
      Stored stored{};
      std::memcpy(&stored, tensor.bytes.data() + i * sizeof stored, sizeof stored);
      const auto value = decode(stored);
      out[i] = static_cast<T>(value);
      if (std::isinf(out[i]) && !std::isinf(value))
        fail(tensor, "has a value too large for " + std::string(to_string(dtype_of<T>())) +
                         " at element " + std::to_string(i));
    }
  }

  std::optional<MappedFile> file_;
  std::string where_;
  std::vector<TensorView> tensors_;
  std::map<std::string, std::string> metadata_;
  std::map<std::string, std::size_t, std::less<>> index_;
};

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

using SafeTensorsMetadata = std::map<std::string, std::string>;

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
