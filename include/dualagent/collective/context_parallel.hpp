#pragma once

#include <cstddef>
#include <span>
#include <type_traits>
#include <utility>

#include "dualagent/collective/collective.hpp"
#include "dualagent/collective/local.hpp"
#include "dualagent/collective/mesh.hpp"

namespace dualagent {

/// One readable sentence if Context and Tensor are not the axes of a ContextParallel.
template <class Context, class Tensor>
consteval bool check_context_parallel() {
  constexpr bool kNested = is_mesh<Context> || is_mesh<Tensor> || is_context_parallel<Context> ||
                           is_context_parallel<Tensor>;
  static_assert(!kNested,
                "dualagent: the axes of ContextParallel{context, tensor} are collectives of their "
                "own; see docs/ranks.md#long-rows-on-several-ranks");
  if constexpr (!kNested)
    static_assert(Collective<Context> && Collective<Tensor>,
                  "dualagent: ContextParallel{context} and ContextParallel{context, tensor} take a "
                  "collective for each axis, with rank(), size(), "
                  "all_reduce_sum(std::span<float>) and all_reduce_sum(std::span<double>); see "
                  "docs/ranks.md#long-rows-on-several-ranks");
  return true;
}

/// The ranks of one model that divide every training row among them: the model axis of a Mesh for a
/// ParallelTransformer whose rows are long. With a tensor axis the model itself is split as well,
/// over the ranks that have one part of the rows.
///
/// As a collective it is all ranks of the model: rank r is rank r / t of the context axis and r % t
/// of a tensor axis of size t. A sum goes over the tensor axis, then over the context axis, so that
/// every rank has the same bits where both give them.
/// Errors: the constructor throws Error on every rank of a group that does not lie along its axis.
/// Example: Mesh mesh{data, ContextParallel{ranks}};
///          ParallelTransformer learner(config, mesh.model_axis());
template <class Context, class Tensor = LocalCollective>
class ContextParallel {
  static_assert(check_context_parallel<Context, Tensor>());

 public:
  /// Whether the model itself may be split.
  static constexpr bool kSplitsModel = !std::is_same_v<Tensor, LocalCollective>;

  explicit ContextParallel(Context context, Tensor tensor = {})
      : context_(std::move(context)), tensor_(std::move(tensor)) {
    const detail::AxesError error{
        "ContextParallel",
        "Rank r of a model with t ranks on the tensor axis is rank r / t of the context axis and "
        "r % t of the tensor axis"};
    detail::require_one(tensor_, context_.rank(), "tensor group", "rank of the context axis",
                        error);
    detail::require_one(tensor_, context_.size(), "tensor group", "size of the context axis",
                        error);
    detail::require_one(context_, tensor_.rank(), "context group", "rank of the tensor axis",
                        error);
  }

  std::size_t rank() const { return context_.rank() * tensor_.size() + tensor_.rank(); }
  std::size_t size() const { return context_.size() * tensor_.size(); }
  void all_reduce_sum(std::span<float> values) { sum(values); }
  void all_reduce_sum(std::span<double> values) { sum(values); }

  /// The ranks that divide the rows, and those that divide the model.
  Context& context_axis() { return context_; }
  Tensor& tensor_axis() { return tensor_; }

 private:
  template <class T>
  void sum(std::span<T> values) {
    tensor_.all_reduce_sum(values);
    context_.all_reduce_sum(values);
  }

  Context context_;
  Tensor tensor_;
};

}  // namespace dualagent
