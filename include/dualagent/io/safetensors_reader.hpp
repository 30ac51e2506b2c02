#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "dualagent/core/error.hpp"
#include "dualagent/core/half_float.hpp"
#include "dualagent/core/json.hpp"
#include "dualagent/core/printable.hpp"
#include "dualagent/core/sort_by_index.hpp"
#include "dualagent/io/atomic_file.hpp"
#include "dualagent/io/safetensors_format.hpp"

namespace dualagent {

/// One tensor of a file, not copied; `bytes` need not be aligned to the element.
struct TensorView {
  std::string name;
  DType dtype = DType::f32;
  std::vector<std::size_t> shape;  // row-major; empty for a scalar
  std::size_t size = 0;            // number of elements
  std::span<const std::byte> bytes;
};

namespace detail {

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
  SafeTensorsMetadata metadata() && { return std::move(metadata_); }

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
    sort_by_index(tensors_, [&](std::size_t i, std::size_t j) {
      return std::tuple(place(tensors_[i]), std::string_view(tensors_[i].name)) <
             std::tuple(place(tensors_[j]), std::string_view(tensors_[j].name));
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
  SafeTensorsMetadata metadata_;
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
  const SafeTensorsMetadata& metadata() const { return metadata_; }
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
  /// and equal types are copied bit by bit. `out` has the tensor's size. Of a mapped file, no more
  /// than a piece of the tensor stays in memory.
  /// Errors: Error naming the tensor for another element type, another size, or a finite value that
  /// is too large for T.
  template <TensorScalar T>
  void copy_to(std::string_view name, std::span<T> out) const {
    const TensorView& tensor = at(name);
    if (out.size() != tensor.size)
      fail(tensor, "has " + std::to_string(tensor.size) + " elements, expected " +
                       std::to_string(out.size()));
    copy_part_to(name, 0, out);
  }
  /// The same of the tensor's elements from `first` on. Errors: also where it has fewer of them.
  template <TensorScalar T>
  void copy_part_to(std::string_view name, std::size_t first, std::span<T> out) const {
    const TensorView& tensor = at(name);
    if (first > tensor.size || out.size() > tensor.size - first)
      fail(tensor, "has " + std::to_string(tensor.size) + " elements, not " +
                       std::to_string(out.size()) + " from " + std::to_string(first) + " on");
    std::size_t begin = 0;
    do {
      const std::size_t count = std::min(kPiece, out.size() - begin);
      copy_piece<T>(tensor, first + begin, out.subspan(begin, count));
      const std::size_t bytes = size_bytes(tensor.dtype);
      forget(tensor.bytes.subspan((first + begin) * bytes, count * bytes));
      begin += count;
    } while (begin < out.size());
  }

  /// Whether two tensors, of one file or of two, have the same type, shape and bytes.
  static bool same(const SafeTensors& file_a, const TensorView& a, const SafeTensors& file_b,
                   const TensorView& b) {
    if (a.dtype != b.dtype || a.shape != b.shape) return false;
    for (std::size_t begin = 0; begin < a.bytes.size(); begin += kPiece) {
      const std::size_t count = std::min(kPiece, a.bytes.size() - begin);
      if (std::memcmp(a.bytes.data() + begin, b.bytes.data() + begin, count) != 0) return false;
      file_a.forget(a.bytes.subspan(begin, count));
      file_b.forget(b.bytes.subspan(begin, count));
    }
    return true;
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

  static constexpr std::size_t kPiece = std::size_t{1} << 18;  // elements; what stays in memory

  void forget(std::span<const std::byte> bytes) const {
    if (file_) file_->forget(bytes);
  }

  /// Elements from `begin` on.
  template <TensorScalar T>
  void copy_piece(const TensorView& tensor, std::size_t begin, std::span<T> out) const {
    const std::byte* const from = tensor.bytes.data() + begin * size_bytes(tensor.dtype);
    if (tensor.dtype == dtype_of<T>()) {
      if (!out.empty()) std::memcpy(out.data(), from, out.size_bytes());
      return;
    }
    if constexpr (std::floating_point<T>) switch (tensor.dtype) {
        case DType::f64:
          return convert<double>(tensor, begin, out, [](double value) { return value; });
        case DType::f32:
          return convert<float>(tensor, begin, out, [](float value) { return value; });
        case DType::f16:
          return convert<std::uint16_t>(tensor, begin, out, float16_to_float);
        case DType::bf16:
          return convert<std::uint16_t>(tensor, begin, out, bfloat16_to_float);
        default:
          break;
      }
    fail(tensor, "has elements of type " + std::string(to_string(tensor.dtype)) +
                     ", which cannot be read as " + std::string(to_string(dtype_of<T>())));
  }

  template <class Stored, class T, class Decode>
  void convert(const TensorView& tensor, std::size_t begin, std::span<T> out, Decode decode) const {
    const std::byte* const from = tensor.bytes.data() + begin * sizeof(Stored);
    for (std::size_t i = 0; i < out.size(); ++i) {
      Stored stored{};
      std::memcpy(&stored, from + i * sizeof stored, sizeof stored);
      const auto value = decode(stored);
      out[i] = static_cast<T>(value);
      if (std::isinf(out[i]) && !std::isinf(value))
        fail(tensor, "has a value too large for " + std::string(to_string(dtype_of<T>())) +
                         " at element " + std::to_string(begin + i));
    }
  }

  std::optional<MappedFile> file_;
  std::string where_;
  std::vector<TensorView> tensors_;
  SafeTensorsMetadata metadata_;
  std::map<std::string, std::size_t, std::less<>> index_;
};

}  // namespace dualagent
