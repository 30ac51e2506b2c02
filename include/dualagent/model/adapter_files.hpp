#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "dualagent/io/atomic_file.hpp"
#include "dualagent/io/atomic_folder.hpp"
#include "dualagent/io/safetensors_format.hpp"
#include "dualagent/model/adapted_transformer.hpp"
#include "dualagent/model/adapter_config.hpp"
#include "dualagent/model/model_files.hpp"
#include "dualagent/model/save_model.hpp"
#include "dualagent/model/transformer.hpp"

namespace dualagent {

/// How an adapter is saved.
struct SaveAdapterOptions {
  /// F32, F64, F16 or BF16; rounded to nearest when narrower than the parameters.
  DType stored_as = DType::f32;
  /// The base's name or folder, for those who load the adapter with PEFT.
  std::string base_model = {};
};

namespace detail {

inline constexpr std::string_view kAdapterConfigName = "adapter_config.json";
inline constexpr std::string_view kAdapterWeightsName = "adapter_model.safetensors";

inline bool is_adapter_file(const std::string& name) {
  return name == kAdapterConfigName || name == kAdapterWeightsName;
}

inline void require_adapter_file(const std::filesystem::path& directory, std::string_view name) {
  require_file(directory, name,
               "Give the folder of an adapter: save_adapter and PEFT's save_pretrained write "
               "adapter_config.json and adapter_model.safetensors into one");
}

}  // namespace detail

/// Writes an adapter as a directory that `load_adapter`, PEFT and engines read: adapter_config.json
/// and adapter_model.safetensors. The base is not part of it; `merged()` with `save_model` writes
/// one model of both.
///
/// The directory appears, or replaces an older one, as a whole or not at all (`AtomicFolder`); its
/// parents are created. With the parameters' own type, `load_adapter` gives every bit back.
/// Deterministic. Errors: Error when `directory` holds files that do not belong to an adapter; as
/// `AtomicFolder` and `write_safetensors`.
/// Example: save_adapter("out/answerer", answerer, {.base_model = "SmolLM2-135M-Instruct"});
template <class Scalar>
void save_adapter(const std::filesystem::path& directory, AdaptedTransformer<Scalar>& model,
                  const SaveAdapterOptions& options = {}) {
  AtomicFolder folder(directory);
  detail::require_replaceable(folder.target(), detail::is_adapter_file, "an adapter");
  write_file_atomically(folder.path() / detail::kAdapterConfigName,
                        to_adapter_config_json({model.adapter(), options.base_model}));
  write_weights(folder.path() / detail::kAdapterWeightsName, model, options.stored_as);
  folder.commit();
}

/// The adapter in a directory of `save_adapter` or PEFT's save_pretrained, over a base.
///
/// Errors: Error for a folder without an adapter's files; as `read_adapter_config`; as
/// `read_weights` where the adapter is not of such a base.
/// Example: auto answerer = load_adapter("out/answerer", base);
template <class Scalar>
AdaptedTransformer<Scalar> load_adapter(const std::filesystem::path& directory,
                                        Transformer<Scalar>& base) {
  for (const std::string_view name : {detail::kAdapterConfigName, detail::kAdapterWeightsName})
    detail::require_adapter_file(directory, name);
  AdaptedTransformer<Scalar> model(
      base, read_adapter_config(directory / detail::kAdapterConfigName).change);
  read_weights(directory / detail::kAdapterWeightsName, model);
  return model;
}

}  // namespace dualagent
