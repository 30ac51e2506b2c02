#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "dualagent/collective/on_first_rank.hpp"
#include "dualagent/core/aligned_vector.hpp"
#include "dualagent/model/model_files.hpp"
#include "dualagent/model/parallel_transformer.hpp"
#include "dualagent/model/save_model.hpp"

namespace dualagent {

/// The model in a Hugging Face directory, on the ranks of a model axis together; each reads its own
/// part, and all of them call it. Errors: as `load_model` and ParallelTransformer; an error on one
/// rank is an error on all.
/// Example: auto learner = load_parallel_model("SmolLM2-135M-Instruct", mesh.model_axis());
template <class Scalar = float, class C>
ParallelTransformer<C, Scalar> load_parallel_model(const std::filesystem::path& directory, C axis,
                                                   TransformerOptions options = {}) {
  options.seed = std::nullopt;
  TransformerConfig config;
  on_all_ranks(axis, [&] { config = load_config(directory); });
  ParallelTransformer<C, Scalar> model(config, std::move(axis), std::move(options));
  load_weights(directory, model);
  return model;
}

namespace detail {

/// A model that is a whole array of parameters.
template <class Scalar>
struct GatheredModel {
  const TransformerConfig& shape;
  std::span<const TensorInfo> infos;
  std::span<const Scalar> values;

  const TransformerConfig& config() const { return shape; }
  std::span<const TensorInfo> tensors() const { return infos; }
  std::span<const Scalar> parameters() const { return values; }
};

}  // namespace detail

/// The same directory from a model on several ranks, which all call it: rank 0 of the model axis
/// writes it. Of a Mesh let data rank 0's model group call it.
///
/// Memory: rank 0 holds all parameters once while it writes.
/// Errors: those of rank 0, and on the others an Error that says so.
template <class C, class Scalar>
void save_model(const std::filesystem::path& directory, ParallelTransformer<C, Scalar>& model,
                const SaveOptions& options = {}) {
  const AlignedVector<Scalar> whole =
      model.slices().gather(model.model_axis(), std::span<const Scalar>(model.parameters()));
  on_first_rank(model.model_axis(), [&] {
    detail::GatheredModel<Scalar> gathered{model.config(), model.slices().tensors(), whole};
    save_model(directory, gathered, options);
    return std::vector<std::byte>{};
  });
}

}  // namespace dualagent
