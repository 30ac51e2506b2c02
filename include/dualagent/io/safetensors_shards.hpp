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

#include "dualagent/core/compiled.hpp"
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
SafeTensorsIndex parse_safetensors_index(const std::string& text, const std::string& where);

/// The tensors of one safetensors file, or of the several that an index names.
class SafeTensorsShards {
 public:
  /// Maps `path`, a safetensors file or, by its ending .json, an index of files beside it.
  ///
  /// Errors: Error naming a file that is missing; a tensor that is in another file than the index
  /// says, in none, or in a file without being in the index; or as `SafeTensors`.
  static SafeTensorsShards open(const std::filesystem::path& path);

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

  void open_all(const std::filesystem::path& folder, const SafeTensorsIndex& index);

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
void write_safetensors_shards(const std::filesystem::path& folder, const std::string& stem,
                              std::vector<TensorSource> tensors, std::uint64_t max_bytes,
                              const SafeTensorsMetadata& metadata = {});

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/io/safetensors_shards.inl"
#endif
