#pragma once

#include <algorithm>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "dualagent/core/aligned_vector.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/model/architecture.hpp"
#include "dualagent/model/backend.hpp"
#include "dualagent/model/model_files.hpp"

namespace dualagent {

/// How a service changes the weights of its model: called with a folder, on any thread and while
/// the model samples, it reads and checks them without touching the model, and returns what writes
/// them into it, which is called on the sampler's thread and ends with `weights_changed`.
/// Errors: Error for a folder that does not have them.
template <class M>
using WeightLoader = std::function<std::function<void(M&)>(const std::filesystem::path&)>;

namespace detail {

/// Of a model whose parameters lie in the host's memory.
template <class M>
concept LoadsWeights = HasTensors<M> && std::is_same_v<MachineOf<M>, cpu::Loops> &&
    requires(M& model) {
  { model.config() } -> std::convertible_to<TransformerConfig>;
  model.weights_changed();
};

/// Weights of a model's layout, apart from it.
template <class Scalar>
struct StagedWeights {
  std::vector<TensorInfo> layout;
  AlignedVector<Scalar> values;
  std::span<const TensorInfo> tensors() const { return layout; }
  std::span<Scalar> parameters() { return values; }
};

/// The shape that decides whether weights fit; how long a context may be does not.
inline TransformerConfig without_length(TransformerConfig config) {
  config.max_position_embeddings = 0;
  return config;
}

}  // namespace detail

/// Loads Hugging Face directories into a model of the same shape. Memory while it loads: that of
/// the weights once more, so that a folder which turns out to be broken changes nothing.
/// Errors: Error where the folder's config.json describes another model; as `load_weights`.
template <detail::LoadsWeights M>
WeightLoader<M> load_from_folder(M& model) {
  using Scalar = std::remove_cvref_t<decltype(model.parameters()[0])>;
  return [config = model.config(),
          layout = std::vector<TensorInfo>(model.tensors().begin(), model.tensors().end()),
          size = model.parameters().size()](const std::filesystem::path& folder) {
    if (detail::without_length(load_config(folder)) != detail::without_length(config))
      throw Error("the weights are of a model of another shape", folder.string(),
                  "Give a folder of the model that is served");
    auto staged = std::make_shared<detail::StagedWeights<Scalar>>();
    staged->layout = layout;
    staged->values.resize(size);
    load_weights(folder, *staged);
    return [staged](M& served) {
      std::copy(staged->values.begin(), staged->values.end(), served.parameters().begin());
      served.weights_changed();
    };
  };
}

}  // namespace dualagent
