#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "dualagent/collective/local.hpp"
#include "dualagent/core/check.hpp"
#include "dualagent/model/backend.hpp"
#include "dualagent/optim/adamw.hpp"
#include "dualagent/optim/clip.hpp"
#include "dualagent/train/checkpoint.hpp"
#include "dualagent/train/update_strategy.hpp"

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
/// On several ranks each does all of it, or, on a `Sharded` collective, the part that is its shard;
/// the collective is the same in every call.
/// Holds a reference to the model. Determinism: the same batches give the same weights; ranks that
/// start equal stay bit-identical if the collective's sums are.
template <class Model>
class WeightUpdater {
  static_assert(check_learner<Model>());

 public:
  using Scalar = typename decltype(std::declval<Model&>().parameters())::value_type;

  /// Errors: Error for an option that cannot be meant.
  template <class Collective = LocalCollective>
  WeightUpdater(Model& model, const UpdateOptions& options, const Collective& collective = {})
      : model_(&model),
        options_(options),
        part_(detail::UpdateStrategyOf<Collective>::part(collective, model.parameters().size())),
        state_(part_.size()) {
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
    gathered_ = {};
    model_->zero_gradients();
    outputs.resize(batch.size());
    if (batch.rows() > 0) model_->backward(batch, std::forward<Loss>(loss), outputs);
    using Strategy = detail::UpdateStrategyOf<Collective>;
    Strategy::sum_gradients(collective, model_->gradients());
    const double norm = Strategy::norm(collective, std::span<const Scalar>(model_->gradients()));
    if (!std::isfinite(norm)) throw_not_finite();
    const std::span<Scalar> gradients = model_->gradients().subspan(part_.begin, part_.size());
    const std::span<Scalar> weights = model_->parameters().subspan(part_.begin, part_.size());
    clip_to_norm(gradients, norm, options_.max_gradient_norm);
    options_.optimizer.step(weights, gradients, state_, learning_rate_scale);
    Strategy::gather(collective, model_->parameters());
    model_->weights_changed();
    return norm;
  }

  /// Adds weights and their version, all ranks' moments and the optimizer's step count under names
  /// that begin with `name`. Model and updater must outlive the checkpoint and stay unchanged until it is written.
  /// On a `Sharded` collective all ranks must call it.
  /// Errors: Error for a name that is taken, and for weights that are not finite.
  template <class Collective = LocalCollective>
  void save(Checkpoint& checkpoint, const std::string& name, Collective&& collective = {}) const {
    const std::span<const Scalar> weights(model_->parameters());
    require_finite(weights, "a weight", {0, weights.size()});
    checkpoint.add(name + ".weights", weights);
    using Strategy = detail::UpdateStrategyOf<std::remove_cvref_t<Collective>>;
    const auto whole = [&](const AlignedVector<Scalar>& moment, AlignedVector<Scalar>& gathered) {
      if (part_.size() == weights.size()) return std::span<const Scalar>(moment);
      gathered.assign(weights.size(), Scalar{0});
      std::copy(moment.begin(), moment.end(),
                gathered.begin() + static_cast<std::ptrdiff_t>(part_.begin));
      Strategy::gather(collective, std::span<Scalar>(gathered));
      return std::span<const Scalar>(gathered);
    };
    checkpoint.add(name + ".first_moment", whole(state_.first, gathered_.first));
    checkpoint.add(name + ".second_moment", whole(state_.second, gathered_.second));
    checkpoint.add(name + ".updates", std::to_string(state_.steps));
    checkpoint.add(name + ".weight_version", std::to_string(model_->weight_version()));
  }

  /// Errors: Error unless the checkpoint has all that `load` takes, of the right types and sizes.
  void check(const StoredCheckpoint& checkpoint, const std::string& name) const {
    for (const char* part : {".weights", ".first_moment", ".second_moment"})
      checkpoint.template require_array<Scalar>(name + part, model_->parameters().size());
    checkpoint.number(name + ".updates");
    checkpoint.number(name + ".weight_version");
  }

  /// Brings back what `save` wrote, bit by bit; all of it or nothing.
  /// Errors: Error when an array is missing or of another type or size.
  void load(const StoredCheckpoint& checkpoint, const std::string& name) {
    check(checkpoint, name);
    checkpoint.copy_to(name + ".weights", model_->parameters());
    const auto load_part = [&](const std::string& moment, AlignedVector<Scalar>& to) {
      if (part_.size() == model_->parameters().size())
        return checkpoint.copy_to(moment, std::span<Scalar>(to));
      const std::vector<Scalar> all = checkpoint.template values<Scalar>(moment);
      std::copy_n(all.begin() + static_cast<std::ptrdiff_t>(part_.begin), part_.size(), to.begin());
    };
    load_part(name + ".first_moment", state_.first);
    load_part(name + ".second_moment", state_.second);
    state_.steps = checkpoint.number(name + ".updates");
    model_->weights_changed(checkpoint.number(name + ".weight_version"));
  }

  Model& model() { return *model_; }
  const Model& model() const { return *model_; }
  /// Moments of the part of the parameters that this rank updates.
  AdamWState<Scalar>& state() { return state_; }
  const AdamWState<Scalar>& state() const { return state_; }

 private:
  [[noreturn]] void throw_not_finite() const {
    require_finite(std::span<const Scalar>(model_->gradients()), "a gradient", part_);
    if (part_.size() < model_->parameters().size())
      throw Error("a gradient is not finite", "another rank's shard", "See that rank's own error");
    throw Error("the norm of the gradients is too large for a double", "WeightUpdater",
                "Check the learning rate");
  }

  void require_finite(std::span<const Scalar> values, const std::string& what,
                      const Shard& part) const {
    for (const TensorInfo& tensor : model_->tensors())
      for (std::size_t i = 0; i < tensor.size; ++i)
        if (tensor.offset + i >= part.begin && tensor.offset + i < part.end &&
            !std::isfinite(values[tensor.offset + i]))
          throw Error(what + " is " + std::to_string(values[tensor.offset + i]),
                      "element " + std::to_string(i) + " of " + tensor.name,
                      "Check the rewards and the learning rate");
  }

  Model* model_;
  UpdateOptions options_;
  Shard part_;                // of the parameters, that this rank updates
  AdamWState<Scalar> state_;  // of that part

  struct Gathered {
    AlignedVector<Scalar> first, second;  // [parameters]
  };
  mutable Gathered gathered_;  // where `save` has gathered moments; empty from the next update on
};

}  // namespace dualagent
