#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "dualagent/collective/on_first_rank.hpp"
#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/printable.hpp"
#include "dualagent/io/atomic_file.hpp"
#include "dualagent/io/safetensors_reader.hpp"
#include "dualagent/io/safetensors_shards.hpp"
#include "dualagent/io/safetensors_writer.hpp"
#include "dualagent/model/backend.hpp"
#include "dualagent/model/config_json.hpp"
#include "dualagent/model/model_axis.hpp"
#include "dualagent/model/transformer.hpp"
#include "dualagent/model/transformer_config.hpp"

namespace dualagent {

/// Something with named tensors over one flat buffer of parameters, e.g. a `Learner`.
template <class M>
concept HasTensors = requires(M& m) {
  { m.tensors() } -> std::convertible_to<std::span<const TensorInfo>>;
  std::span(m.parameters());
};

namespace detail {

inline constexpr std::string_view kWeightsStem = "model";
inline constexpr std::string_view kWeightsFileName = "model.safetensors";
inline constexpr std::string_view kIndexFileName = "model.safetensors.index.json";
inline constexpr std::string_view kConfigFileName = "config.json";

/// Compares what files hold with what a model needs, and describes every difference.
class TensorDifferences {
 public:
  TensorDifferences(const SafeTensorsShards& shards, std::span<const TensorInfo> tensors);

  /// Throws Error that lists the first 20.
  void require_none() const;

 private:
  /// " in FILE" where there are several.
  std::string place(const SafeTensors& file) const {
    if (shards_.files().size() == 1) return "";
    return " in " + std::filesystem::path(file.where()).filename().string();
  }

  /// Passes over what carries no weights of its own, as Hugging Face does: rotary frequencies (they
  /// follow from the config), and the head of a model that shares it with its embeddings, if both
  /// are equal.
  void look_at_unexpected(const SafeTensors& file, const TensorView& tensor);

  const SafeTensorsShards& shards_;
  std::set<std::string_view> expected_;
  std::vector<std::string> problems_;
};

std::string_view torch_dtype_name(DType dtype);

}  // namespace detail

/// The tensors of a model as they are written to files; valid as long as the model's parameters.
template <HasTensors Model>
std::vector<TensorSource> tensor_sources(Model& model, DType stored_as) {
  static_assert(!OnModelAxis<Model>,
                "dualagent: a rank has a part of this model alone; save_model gathers it");
  const std::span parameters(model.parameters());
  using Scalar = std::remove_const_t<typename decltype(parameters)::element_type>;
  std::vector<TensorSource> sources;
  for (const TensorInfo& tensor : std::span<const TensorInfo>(model.tensors()))
    sources.push_back({tensor.name, tensor.shape,
                       std::span<const Scalar>(parameters.subspan(tensor.offset, tensor.size)),
                       stored_as});
  return sources;
}

/// Writes a model's weights as one safetensors file, atomically, under Hugging Face names.
///
/// `stored_as`: F32, F64, F16 or BF16; rounded to nearest when narrower than the parameters. With
/// the parameters' own type, `read_weights` gives every bit back. Deterministic.
/// Errors: as `write_safetensors`.
template <HasTensors Model>
void write_weights(const std::filesystem::path& path, Model& model, DType stored_as) {
  write_safetensors(path, tensor_sources(model, stored_as), {{"format", "pt"}});
}

/// Reads a model's weights from one safetensors file of any floating-point type or, where `path`
/// ends in .json, from the files of an index.
///
/// Names and shapes must be the model's; rotary frequencies, and an output head equal to the
/// embeddings of a model that ties both, are passed over. Calls `model.weights_changed()` if there
/// is such a member. Nothing is written to the model unless names and shapes fit. Files are mapped
/// and converted piece by piece, and what was read is given back.
/// Errors: Error listing missing, unexpected and misshapen tensors; or as `SafeTensorsShards`,
/// after which the weights are partly read.
template <HasTensors Model>
void read_weights(const std::filesystem::path& path, Model& model) {
  const SafeTensorsShards shards = SafeTensorsShards::open(path);
  const std::span parameters(model.parameters());
  using Scalar = std::remove_const_t<typename decltype(parameters)::element_type>;
  if constexpr (OnModelAxis<Model>) {
    const TensorSlices& slices = model.slices();
    detail::TensorDifferences(shards, slices.tensors()).require_none();
    for (const TensorSlices::Run& run : slices.runs()) {
      const TensorInfo& tensor = slices.tensors()[run.tensor];
      shards.file_of(tensor.name)
          ->copy_part_to<Scalar>(tensor.name, run.whole - tensor.offset,
                                 parameters.subspan(run.mine, run.size));
    }
  } else {
    const std::span<const TensorInfo> tensors(model.tensors());
    detail::TensorDifferences(shards, tensors).require_none();
    for (const TensorInfo& tensor : tensors)
      shards.file_of(tensor.name)
          ->copy_to<Scalar>(tensor.name, parameters.subspan(tensor.offset, tensor.size));
  }
  if constexpr (requires { model.weights_changed(); }) model.weights_changed();
}

namespace detail {

/// Refuses a folder without a file that is wanted.
void require_file(const std::filesystem::path& directory, std::string_view name,
                  const std::string& remedy);

/// Refuses a folder without one of a model's files.
void require_model_file(const std::filesystem::path& directory, std::string_view name);

}  // namespace detail

/// The shape of the model in a folder. Errors: Error for a folder without a config.json; as
/// `read_config_json`.
TransformerConfig load_config(const std::filesystem::path& directory);

namespace detail {

/// As `load_weights`, of this rank alone.
template <HasTensors Model>
void load_own_weights(const std::filesystem::path& directory, Model& model) {
  const bool indexed = is_there(directory / kIndexFileName);
  if (!indexed) require_model_file(directory, kWeightsFileName);
  if (indexed && is_there(directory / kWeightsFileName))
    throw Error("the folder has a model.safetensors and an index of other files",
                directory.string(), "Remove the weights that do not belong to its config.json");
  read_weights(directory / (indexed ? kIndexFileName : kWeightsFileName), model);
}

}  // namespace detail

/// Fills a model that was constructed from `load_config(directory)` with the weights of the folder:
/// model.safetensors, or the files of model.safetensors.index.json.
///
/// For a model that is not made as its config.json says, with a shorter context for example; else
/// `load_model` does both. Errors: Error for a folder without weights or with both; as
/// `read_weights`.
///
/// Of a model on several ranks each reads its own part; all of them call it, and an error on one is
/// an error on all.
template <HasTensors Model>
void load_weights(const std::filesystem::path& directory, Model& model) {
  if constexpr (OnModelAxis<Model>)
    on_all_ranks(model.model_axis(), [&] { detail::load_own_weights(directory, model); });
  else
    detail::load_own_weights(directory, model);
}

/// The model in a Hugging Face directory: config.json says which family it is of, and
/// `parse_config_json` which are known.
///
/// `options` are those of the transformer; its seed has no effect. Memory while it loads: a few
/// percent above that of the weights. Errors: as `load_config` and `load_weights`.
/// Example: auto model = load_model("SmolLM2-135M-Instruct", {.pool = pool});
template <class Scalar = float>
Transformer<Scalar> load_model(const std::filesystem::path& directory,
                               TransformerOptions options = {}) {
  options.seed = std::nullopt;
  Transformer<Scalar> model(load_config(directory), std::move(options));
  load_weights(directory, model);
  return model;
}

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/model/model_files.inl"
#else
namespace dualagent {
extern template Transformer<float> load_model<float>(const std::filesystem::path&,
                                                     TransformerOptions);
}  // namespace dualagent
#endif
