#pragma once

/// Definitions of model_files.hpp; see core/compiled.hpp.

#include "dualagent/model/model_files.hpp"

namespace dualagent::detail {

inline constexpr std::string_view kTiedHead = "lm_head.weight";

inline constexpr std::string_view kEmbeddings = "model.embed_tokens.weight";

DUALAGENT_INLINE TensorDifferences::TensorDifferences(const SafeTensorsShards& shards,
                                                      std::span<const TensorInfo> tensors)
    : shards_(shards) {
  for (const TensorInfo& tensor : tensors) {
    expected_.insert(tensor.name);
    const SafeTensors* file = shards.file_of(tensor.name);
    if (file == nullptr)
      problems_.push_back("missing " + tensor.name + " " + shape_to_string(tensor.shape));
    else if (file->at(tensor.name).shape != tensor.shape)
      problems_.push_back(tensor.name + " has shape " +
                          shape_to_string(file->at(tensor.name).shape) + place(*file) +
                          ", expected " + shape_to_string(tensor.shape));
  }
  for (const SafeTensors& file : shards.files())
    for (const TensorView& tensor : file.tensors())
      if (!expected_.contains(tensor.name)) look_at_unexpected(file, tensor);
}

DUALAGENT_INLINE void TensorDifferences::require_none() const {
  if (problems_.empty()) return;
  constexpr std::size_t kMaxListed = 20;
  std::string list;
  for (std::size_t i = 0; i < std::min(problems_.size(), kMaxListed); ++i)
    list += (i == 0 ? "" : "; ") + problems_[i];
  if (problems_.size() > kMaxListed)
    list += "; and " + std::to_string(problems_.size() - kMaxListed) + " more";
  throw Error("weights do not fit the model: " + list, shards_.where(),
              "Use the config.json and the weights of one model");
}

DUALAGENT_INLINE void TensorDifferences::look_at_unexpected(const SafeTensors& file,
                                                            const TensorView& tensor) {
  if (std::string_view(tensor.name).ends_with(".rotary_emb.inv_freq")) return;
  const SafeTensors* other = shards_.file_of(kEmbeddings);
  std::string why;
  if (tensor.name == kTiedHead && expected_.contains(kEmbeddings) && other != nullptr) {
    if (SafeTensors::same(file, tensor, *other, other->at(kEmbeddings))) return;
    why = ", which is not equal to the embeddings that it is tied to";
  }
  problems_.push_back("unexpected " + printable(tensor.name) + " " + shape_to_string(tensor.shape) +
                      place(file) + why);
}

DUALAGENT_INLINE std::string_view torch_dtype_name(DType dtype) {
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

DUALAGENT_INLINE void require_file(const std::filesystem::path& directory, std::string_view name,
                                   const std::string& remedy) {
  if (is_there(directory / name)) return;
  std::error_code ignored;
  const bool folder = std::filesystem::is_directory(directory, ignored);
  throw Error(folder ? "the folder has no " + std::string(name) : "there is no such folder",
              directory.string(), remedy);
}

DUALAGENT_INLINE void require_model_file(const std::filesystem::path& directory,
                                         std::string_view name) {
  require_file(directory, name,
               "Give the folder of a model: save_model and Hugging Face's save_pretrained write "
               "config.json and model.safetensors into one");
}

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE TransformerConfig load_config(const std::filesystem::path& directory) {
  detail::require_model_file(directory, detail::kConfigFileName);
  return read_config_json(directory / detail::kConfigFileName);
}

}  // namespace dualagent
