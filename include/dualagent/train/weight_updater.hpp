#pragma once

#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

#include "dualagent/collective/gradient_buckets.hpp"
#include "dualagent/core/check.hpp"
#include "dualagent/model/backend.hpp"
#include "dualagent/optim/adamw.hpp"
#include "dualagent/optim/clip.hpp"
#include "dualagent/train/checkpoint.hpp"

namespace dualagent {

/// How gradients become weights.
struct UpdateOptions {
  AdamW optimizer{};
  /// Global norm, above 0; larger gradients are scaled down to it. Infinity: they stay as they are.
  double max_gradient_norm = 1.0;
};

/// Errors: Error for a factor of the learning rate that is negative, NaN or infinite.
inline void check_learning_rate_scale(double scale) {
  require_option(scale, kNotNegative, "the learning rate's scale", "learning_rate_scale",
                 "check the schedule that it comes from");
}

/// The optimizer of one model: options, moments and the sequence
/// zero -> backward -> sum over ranks -> clip -> AdamW -> new weight version.
///
/// Holds a reference to the model. Determinism: the same batches give the same weights; ranks that
/// start equal stay bit-identical if the collective's sums are.
template <class Model>
class WeightUpdater {
  static_assert(check_learner<Model>());

 public:
  using Scalar = typename decltype(std::declval<Model&>().parameters())::value_type;

  /// Errors: Error for an option that cannot be meant.
  WeightUpdater(Model& model, const UpdateOptions& options)
      : model_(&model), options_(options), state_(model.parameters().size()) {
    options.optimizer.template validate<Scalar>();
    require_option(options.max_gradient_norm, kPositiveOrInfinite, "max_gradient_norm",
                   "UpdateOptions", "infinity leaves all gradients as they are");
  }

  /// One update from the sum over ranks of this batch's gradients; returns the gradient's norm
  /// before clipping. A rank may bring an empty batch but must take part.
  ///
  /// Errors: a learning rate scale that cannot be meant, and a gradient that is not finite, throw
  /// before any weight is touched.
  template <class Loss, class Collective>
  double update(const PackedBatch& batch, Loss&& loss, TokenOutputs& outputs,
                Collective& collective, double learning_rate_scale = 1.0) {
    check_learning_rate_scale(learning_rate_scale);
    model_->zero_gradients();
    outputs.resize(batch.size());
    if (batch.rows() > 0) model_->backward(batch, std::forward<Loss>(loss), outputs);
    bucketed_all_reduce(collective, model_->gradients());
    const double norm = global_norm(std::span<const Scalar>(model_->gradients()));
    if (!std::isfinite(norm)) throw_not_finite();
    clip_to_norm(model_->gradients(), norm, options_.max_gradient_norm);
    options_.optimizer.step(model_->parameters(), model_->gradients(), state_, learning_rate_scale);
    model_->weights_changed();
    return norm;
  }

  /// Adds weights, moments and the optimizer's step count under names that begin with `name`. The
  /// model must outlive the checkpoint and stay unchanged until it is written.
  /// Errors: Error for a name that is taken, and for weights that are not finite.
  void save(Checkpoint& checkpoint, const std::string& name) const {
    const std::span<const Scalar> weights(model_->parameters());
    require_finite(weights, "a weight");
    checkpoint.add(name + ".weights", weights);
    checkpoint.add(name + ".first_moment", std::span<const Scalar>(state_.first));
    checkpoint.add(name + ".second_moment", std::span<const Scalar>(state_.second));
    checkpoint.add(name + ".updates", std::to_string(state_.steps));
  }

  /// Errors: Error unless the checkpoint has all that `load` takes, of the right types and sizes.
  void check(const StoredCheckpoint& checkpoint, const std::string& name) const {
    for (const char* part : {".weights", ".first_moment", ".second_moment"})
      checkpoint.template require_array<Scalar>(name + part, state_.first.size());
    checkpoint.number(name + ".updates");
  }

  /// Brings back what `save` wrote, bit by bit; all of it or nothing.
  /// Errors: Error when an array is missing or of another type or size.
  void load(const StoredCheckpoint& checkpoint, const std::string& name) {
    check(checkpoint, name);
    checkpoint.copy_to(name + ".weights", model_->parameters());
    checkpoint.copy_to(name + ".first_moment", std::span<Scalar>(state_.first));
    checkpoint.copy_to(name + ".second_moment", std::span<Scalar>(state_.second));
    state_.steps = checkpoint.number(name + ".updates");
    model_->weights_changed();
  }

  Model& model() { return *model_; }
  const Model& model() const { return *model_; }
  AdamWState<Scalar>& state() { return state_; }
  const AdamWState<Scalar>& state() const { return state_; }

 private:
  [[noreturn]] void throw_not_finite() const {
    require_finite(std::span<const Scalar>(model_->gradients()), "a gradient");
    throw Error("the norm of the gradients is too large for a double", "WeightUpdater",
                "Check the learning rate");
  }

  void require_finite(std::span<const Scalar> values, const std::string& what) const {
    for (const TensorInfo& tensor : model_->tensors())
      for (std::size_t i = 0; i < tensor.size; ++i)
        if (!std::isfinite(values[tensor.offset + i]))
          throw Error(what + " is " + std::to_string(values[tensor.offset + i]),
                      "element " + std::to_string(i) + " of " + tensor.name,
                      "Check the rewards and the learning rate");
  }

  Model* model_;
  UpdateOptions options_;
  AdamWState<Scalar> state_;
};

}  // namespace dualagent
