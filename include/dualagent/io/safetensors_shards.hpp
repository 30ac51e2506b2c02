#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "dualagent/core/error.hpp"
#include "dualagent/core/json.hpp"
#include "dualagent/core/printable.hpp"
#include "dualagent/io/atomic_file.hpp"
#include "dualagent/io/safetensors_reader.hpp"
#include "dualagent/io/safetensors_writer.hpp"

namespace dualagent {

/// Which file of a folder holds which tensor.
using SafeTensorsIndex = std::map<std::string, std::string, std::less<>>;

/// Reads the text of a model.safetensors.index.json.
///
/// Errors: Error for a text without a weight_map of file names; a name that leaves the folder or is
/// not that of a safetensors file is refused.
inline SafeTensorsIndex parse_safetensors_index(const std::string& text, const std::string& where) {
  const std::string remedy = "Fetch the index of the model again";
  const auto fail = [&](const std::string& what) { throw Error(what, where, remedy); };
  const nlohmann::json json = parse_json(text, where, remedy, {.max_depth = 8});
  const auto map = json.is_object() ? json.find("weight_map") : json.end();
  if (map == json.end() || !map->is_object() || map->empty())
    fail("the index has no weight_map of tensors");
  SafeTensorsIndex index;
  for (const auto& [tensor, value] : map->items()) {
    const std::string file = value.is_string() ? value.get<std::string>() : std::string();
    if (file.find('/') != std::string::npos || file.starts_with('.') ||
        !file.ends_with(".safetensors"))
      fail("tensor \"" + printable(tensor) +
           "\" is not in a safetensors file of the folder: " + printable(value.dump()));
    index.emplace(tensor, file);
  }
  return index;
}

/// The tensors of one safetensors file, or of the several that an index names.
class SafeTensorsShards {
 public:
  /// Maps `path`, a safetensors file or, by its ending .json, an index of files beside it.
  ///
  /// Errors: Error naming a file that is missing; a tensor that is in another file than the index
  /// says, in none, or in a file without being in the index; or as `SafeTensors`.
  static SafeTensorsShards open(const std::filesystem::path& path) {
    SafeTensorsShards shards(path.string());
    if (path.extension() != ".json")
      shards.files_.push_back(SafeTensors::open(path));
    else
      shards.open_all(path.parent_path(), parse_safetensors_index(read_file(path), path.string()));
    for (std::size_t f = 0; f < shards.files_.size(); ++f)
      for (const TensorView& tensor : shards.files_[f].tensors())
        shards.file_of_.emplace(tensor.name, f);
    return shards;
  }

  std::span<const SafeTensors> files() const { return files_; }
  /// The name of the file or of the index, for errors.
  const std::string& where() const { return where_; }

  /// The file with a tensor; null when there is none.
  const SafeTensors* file_of(std::string_view tensor) const {
    const auto found = file_of_.find(tensor);
    return found == file_of_.end() ? nullptr : &files_[found->second];
  }

 private:
  explicit SafeTensorsShards(std::string where) : where_(std::move(where)) {}

  [[noreturn]] void fail(const std::string& what) const {
    throw Error(what, where_, "Fetch the index and all its files again, from one version");
  }

  void open_all(const std::filesystem::path& folder, const SafeTensorsIndex& index) {
    std::set<std::string> names;
    for (const auto& [tensor, file] : index) names.insert(file);
    std::map<std::string, const SafeTensors*> opened;
    files_.reserve(names.size());
    for (const std::string& name : names) {
      if (!detail::is_there(folder / name))
        fail("the file " + printable(name) + " of the index is missing");
      files_.push_back(SafeTensors::open(folder / name));
      opened.emplace(name, &files_.back());
      for (const TensorView& tensor : files_.back().tensors()) {
        const auto entry = index.find(tensor.name);
        if (entry == index.end() || entry->second != name)
          fail("tensor \"" + printable(tensor.name) + "\" is in " + printable(name) +
               ", but not according to the index");
      }
    }
    for (const auto& [tensor, file] : index)
      if (opened.at(file)->find(tensor) == nullptr)
        fail("tensor \"" + printable(tensor) + "\" is not in " + printable(file));
  }

  std::string where_;
  std::vector<SafeTensors> files_;
  std::map<std::string, std::size_t, std::less<>> file_of_;
};

/// Writes STEM.safetensors into a folder or, if its tensors take more than `max_bytes`, the files
/// STEM-00001-of-0000N.safetensors and STEM.safetensors.index.json, as Hugging Face names them.
///
/// Files are filled in the order of the tensors, up to `max_bytes` or one tensor each. Bytes depend
/// on the arguments only. Every file appears as a whole; the folder is the caller's to make so
/// (`AtomicFolder`). Errors: as `write_safetensors`.
inline void write_safetensors_shards(const std::filesystem::path& folder, const std::string& stem,
                                     std::vector<TensorSource> tensors, std::uint64_t max_bytes,
                                     const SafeTensorsMetadata& metadata = {}) {
  std::vector<std::vector<TensorSource>> shards(1);
  std::uint64_t total = 0, elements = 0, filled = 0;
  for (TensorSource& tensor : tensors) {
    const std::uint64_t bytes = detail::source_bytes(tensor, folder.string());
    if (filled > 0 && filled + bytes > max_bytes) {
      shards.emplace_back();
      filled = 0;
    }
    filled += bytes;
    total += bytes;
    elements += bytes / size_bytes(stored_dtype(tensor));
    shards.back().push_back(std::move(tensor));
  }
  if (shards.size() == 1)
    return write_safetensors(folder / (stem + ".safetensors"), std::move(shards[0]), metadata);
  nlohmann::json index{{"metadata", {{"total_parameters", elements}, {"total_size", total}}}};
  for (std::size_t s = 0; s < shards.size(); ++s) {
    char numbers[64];
    std::snprintf(numbers, sizeof numbers, "-%05zu-of-%05zu.safetensors", s + 1, shards.size());
    const std::string name = stem + numbers;
    for (const TensorSource& tensor : shards[s]) index["weight_map"][tensor.name] = name;
    write_safetensors(folder / name, std::move(shards[s]), metadata);
  }
  write_file_atomically(folder / (stem + ".safetensors.index.json"), index.dump(2) + "\n");
}

}  // namespace dualagent
