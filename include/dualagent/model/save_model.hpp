#pragma once

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "dualagent/core/check.hpp"
#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/printable.hpp"
#include "dualagent/io/atomic_file.hpp"
#include "dualagent/io/atomic_folder.hpp"
#include "dualagent/io/safetensors_format.hpp"
#include "dualagent/io/safetensors_shards.hpp"
#include "dualagent/model/config_json.hpp"
#include "dualagent/model/model_files.hpp"

namespace dualagent {

/// How a model is saved.
struct SaveOptions {
  /// F32, F64, F16 or BF16; rounded to nearest when narrower than the parameters.
  DType stored_as = DType::f32;
  /// The folder that the model was loaded from: the entries of its config.json are carried over,
  /// and generation_config.json, tokenizer, chat template and licence are copied byte for byte.
  /// Without it the new folder has config.json and weights only: neither transformers nor an engine
  /// can read text with it, nor knows where to stop.
  std::filesystem::path from = {};
  /// Weights that take more are split over several files with an index.
  std::uint64_t max_shard_bytes = 5'000'000'000;
};

namespace detail {

bool is_model_file(const std::string& name);

/// Refuses to replace a folder that holds anything but `what`, whose files `is_part` knows by name.
void require_replaceable(const std::filesystem::path& directory,
                         bool (*is_part)(const std::string& name), const std::string& what);

/// Copies what is carried over from one folder to another.
void carry_over(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace detail

/// Writes a model as a directory that `load_model`, transformers and engines read: config.json and
/// model.safetensors (or several files and an index), and what is carried over from the folder
/// `options.from`, which may be `directory` itself.
///
/// The directory appears, or replaces an older one, as a whole or not at all (`AtomicFolder`); its
/// parents are created. With the parameters' own type, `load_model` gives every bit back.
/// Deterministic. Errors: Error when `directory` holds files that do not belong to a model, or when
/// the model does not have the shape of `from`; as `AtomicFolder`, `write_safetensors_shards` and
/// `to_config_json`.
/// Example: save_model("out/answerer", model, {.stored_as = DType::bf16, .from = "SmolLM2"});
template <HasTensors Model>
void save_model(const std::filesystem::path& directory, Model& model,
                const SaveOptions& options = {}) {
  require_option(options.max_shard_bytes, kAtLeastOne, "max_shard_bytes", "SaveOptions");
  AtomicFolder folder(directory);
  detail::require_replaceable(folder.target(), detail::is_model_file, "a saved model");
  const std::string_view type = detail::torch_dtype_name(options.stored_as);
  if (options.from.empty()) {
    write_config_json(folder.path() / detail::kConfigFileName, model.config(), type);
  } else {
    detail::require_model_file(options.from, detail::kConfigFileName);
    const std::filesystem::path source = options.from / detail::kConfigFileName;
    write_file_atomically(folder.path() / detail::kConfigFileName,
                          to_config_json(model.config(), type, read_file(source), source.string()));
    detail::carry_over(options.from, folder.path());
  }
  write_safetensors_shards(folder.path(), std::string(detail::kWeightsStem),
                           tensor_sources(model, options.stored_as), options.max_shard_bytes,
                           {{"format", "pt"}});
  folder.commit();
}

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/model/save_model.inl"
#else
namespace dualagent {
extern template void save_model<Transformer<float>>(const std::filesystem::path&,
                                                    Transformer<float>&, const SaveOptions&);
}  // namespace dualagent
#endif
