#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "dualagent/core/error.hpp"
#include "dualagent/core/printable.hpp"
#include "dualagent/io/atomic_file.hpp"
#include "dualagent/io/safetensors_reader.hpp"
#include "dualagent/io/safetensors_writer.hpp"
#include "dualagent/model/backend.hpp"
#include "dualagent/model/config_json.hpp"
#include "dualagent/model/transformer_config.hpp"

namespace dualagent {

/// Something with named tensors over one flat buffer of parameters, e.g. a `Learner`.
template <class M>
concept HasTensors = requires(M& m) {
  { m.tensors() } -> std::convertible_to<std::span<const TensorInfo>>;
  std::span(m.parameters());
};

namespace detail {

inline constexpr std::string_view kWeightsFileName = "model.safetensors";
inline constexpr std::string_view kConfigFileName = "config.json";
inline constexpr std::string_view kTiedHead = "lm_head.weight";
inline constexpr std::string_view kEmbeddings = "model.embed_tokens.weight";

/// Tensors of a file that carry no weights of their own, as Hugging Face also drops them: rotary
/// frequencies (they follow from rope_theta), and the output head of a model that shares it with
/// its embeddings, if both are equal.
inline bool is_redundant(const TensorView& tensor, const SafeTensors& file,
                         const std::map<std::string_view, const TensorInfo*>& expected) {
  if (std::string_view(tensor.name).ends_with(".rotary_emb.inv_freq")) return true;
  const TensorView* embeddings = file.find(kEmbeddings);
  return tensor.name == kTiedHead && expected.count(kEmbeddings) != 0 && embeddings != nullptr &&
         tensor.dtype == embeddings->dtype && tensor.shape == embeddings->shape &&
         std::equal(tensor.bytes.begin(), tensor.bytes.end(), embeddings->bytes.begin());
}

/// Throws Error that lists every missing, unexpected or misshapen tensor (the first 20).
inline void require_same_tensors(const SafeTensors& file, std::span<const TensorInfo> tensors) {
  std::vector<std::string> problems;
  std::map<std::string_view, const TensorInfo*> expected;
  for (const TensorInfo& tensor : tensors) {
    expected.emplace(tensor.name, &tensor);
    const TensorView* found = file.find(tensor.name);
    if (found == nullptr)
      problems.push_back("missing " + tensor.name + " " + shape_to_string(tensor.shape));
    else if (found->shape != tensor.shape)
      problems.push_back(tensor.name + " has shape " + shape_to_string(found->shape) +
                         ", expected " + shape_to_string(tensor.shape));
  }
  for (const TensorView& tensor : file.tensors())
    if (expected.count(tensor.name) == 0 && !is_redundant(tensor, file, expected))
      problems.push_back("unexpected " + printable(tensor.name) + " " +
                         shape_to_string(tensor.shape));
  if (problems.empty()) return;
  constexpr std::size_t kMaxListed = 20;
  std::string list;
  for (std::size_t i = 0; i < std::min(problems.size(), kMaxListed); ++i)
    list += (i == 0 ? "" : "; ") + problems[i];
  if (problems.size() > kMaxListed)
    list += "; and " + std::to_string(problems.size() - kMaxListed) + " more";
  throw Error("weights do not fit the model: " + list, file.where(),
              "Use the config.json and the weights of one model");
}

inline std::string_view torch_dtype_name(DType dtype) {
  switch (dtype) {
    case DType::f64:
      return "float64";
    case DType::f16:
      return "float16";
    case DType::bf16:
      return "bfloat16";
    default:
      return "float32";
  }
}

}  // namespace detail

/// Writes a model's weights as one safetensors file, atomically, under Hugging Face names.
///
/// `stored_as`: F32, F64, F16 or BF16; rounded to nearest when narrower than the parameters. With
/// the parameters' own type, `read_weights` gives every bit back. Deterministic.
/// Errors: as `write_safetensors`.
template <HasTensors Model>
void write_weights(const std::filesystem::path& path, Model& model, DType stored_as) {
  const std::span parameters(model.parameters());
  using Scalar = std::remove_const_t<typename decltype(parameters)::element_type>;
  std::vector<TensorSource> sources;
  for (const TensorInfo& tensor : std::span<const TensorInfo>(model.tensors()))
    sources.push_back({tensor.name, tensor.shape,
                       std::span<const Scalar>(parameters.subspan(tensor.offset, tensor.size)),
                       stored_as});
  write_safetensors(path, std::move(sources), {{"format", "pt"}});
}

/// Reads a model's weights from one safetensors file of any floating-point type.
///
/// Names and shapes must be the model's; rotary frequencies, and an output head equal to the
/// embeddings of a model that ties both, are passed over. Calls `model.weights_changed()` if there
/// is such a member. Nothing is written to the model unless names and shapes fit.
/// Errors: Error listing missing, unexpected and misshapen tensors; or as `SafeTensors`, after
/// which the weights are partly read.
template <HasTensors Model>
void read_weights(const std::filesystem::path& path, Model& model) {
  const SafeTensors file = SafeTensors::open(path);
  const std::span<const TensorInfo> tensors(model.tensors());
  detail::require_same_tensors(file, tensors);
  const std::span parameters(model.parameters());
  using Scalar = std::remove_const_t<typename decltype(parameters)::element_type>;
  for (const TensorInfo& tensor : tensors)
    file.copy_to<Scalar>(tensor.name, parameters.subspan(tensor.offset, tensor.size));
  if constexpr (requires { model.weights_changed(); }) model.weights_changed();
}

/// Writes `directory`/model.safetensors and config.json, as Hugging Face reads them.
///
/// The folder is created if needed; temporaries that a killed process left are removed. Each file
/// is replaced atomically, the weights first.
/// Errors: as `write_weights` and `write_config_json`.
/// Example: save_model("out/answerer", model); auto config = load_config("out/answerer");
template <HasTensors Model>
void save_model(const std::filesystem::path& directory, Model& model,
                DType stored_as = DType::f32) {
  ensure_directory(directory);
  for (const std::string_view name : {detail::kWeightsFileName, detail::kConfigFileName})
    remove_abandoned_temporaries(directory, name);
  write_weights(directory / detail::kWeightsFileName, model, stored_as);
  write_config_json(directory / detail::kConfigFileName, model.config(),
                    detail::torch_dtype_name(stored_as));
}

namespace detail {
/// Refuses a folder without one of a model's two files.
inline void require_model_file(const std::filesystem::path& directory, std::string_view name) {
  std::error_code ignored;
  if (std::filesystem::exists(directory / name, ignored)) return;
  const bool folder = std::filesystem::is_directory(directory, ignored);
  throw Error(folder ? "the folder has no " + std::string(name) : "there is no such folder",
              directory.string(),
              "Give the folder of a model: save_model and Hugging Face's save_pretrained write "
              "config.json and model.safetensors into one");
}
}  // namespace detail

/// The shape of the model in a folder. Errors: Error for a folder without a config.json; as
/// `read_config_json`.
inline TransformerConfig load_config(const std::filesystem::path& directory) {
  detail::require_model_file(directory, detail::kConfigFileName);
  return read_config_json(directory / detail::kConfigFileName);
}

/// Fills a model that was constructed from `load_config(directory)` with the weights of the folder.
///
/// Errors: Error for a folder without weights, and for weights split over several files; as
/// `read_weights`.
template <HasTensors Model>
void load_weights(const std::filesystem::path& directory, Model& model) {
  const std::filesystem::path path = directory / detail::kWeightsFileName;
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored) &&
      std::filesystem::exists(directory / "model.safetensors.index.json", ignored))
    throw Error("weights split over several files are not supported", directory.string(),
                "Merge them into one model.safetensors (transformers: save_pretrained with a large "
                "max_shard_size)");
  detail::require_model_file(directory, detail::kWeightsFileName);
  read_weights(path, model);
}

}  // namespace dualagent
