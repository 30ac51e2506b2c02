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

#include "dualagent/core/compiled.hpp"
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
  const TensorView& at(std::string_view name) const;

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
                   const TensorView& b);

  template <TensorScalar T>
  std::vector<T> values(std::string_view name) const {
    std::vector<T> result(at(name).size);
    copy_to<T>(name, result);
    return result;
  }

 private:
  SafeTensors(std::span<const std::byte> bytes, std::string where);

  [[noreturn]] void fail(const TensorView& tensor, const std::string& what) const;

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

#ifndef DUALAGENT_COMPILED
#include "dualagent/io/safetensors_reader.inl"
#endif
