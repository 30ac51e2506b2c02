#pragma once

/// Definitions of safetensors_reader.hpp; see core/compiled.hpp.

#include "dualagent/io/safetensors_reader.hpp"

namespace dualagent::detail {

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
      const std::optional<std::uint64_t> size = count_of(entry);
      if (!size) fail(field + " holds something else than sizes: " + shown_json(entry), tensor);
      sizes.push_back(*size);
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

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE const TensorView& SafeTensors::at(std::string_view name) const {
  if (const TensorView* tensor = find(name)) return *tensor;
  throw Error("there is no tensor \"" + printable(name) + "\"", where_,
              "The file has " + std::to_string(tensors_.size()) + " other tensors");
}

DUALAGENT_INLINE bool SafeTensors::same(const SafeTensors& file_a, const TensorView& a,
                                        const SafeTensors& file_b, const TensorView& b) {
  if (a.dtype != b.dtype || a.shape != b.shape) return false;
  for (std::size_t begin = 0; begin < a.bytes.size(); begin += kPiece) {
    const std::size_t count = std::min(kPiece, a.bytes.size() - begin);
    if (std::memcmp(a.bytes.data() + begin, b.bytes.data() + begin, count) != 0) return false;
    file_a.forget(a.bytes.subspan(begin, count));
    file_b.forget(b.bytes.subspan(begin, count));
  }
  return true;
}

DUALAGENT_INLINE SafeTensors::SafeTensors(std::span<const std::byte> bytes, std::string where)
    : where_(std::move(where)) {
  detail::SafeTensorsHeader header(bytes, where_);
  tensors_ = std::move(header).tensors();
  metadata_ = std::move(header).metadata();
  for (std::size_t i = 0; i < tensors_.size(); ++i) index_.emplace(tensors_[i].name, i);
}

DUALAGENT_INLINE void SafeTensors::fail(const TensorView& tensor, const std::string& what) const {
  throw Error("tensor \"" + printable(tensor.name) + "\" " + what, where_,
              "Use a file that was written for this purpose, or convert it");
}

}  // namespace dualagent
