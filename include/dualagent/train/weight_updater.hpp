#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "dualagent/collective/local.hpp"
#include "dualagent/collective/mesh.hpp"
#include "dualagent/collective/on_first_rank.hpp"
#include "dualagent/core/aligned_vector.hpp"
#include "dualagent/core/check.hpp"
#include "dualagent/cpu/loops.inl"
#include "dualagent/model/backend.hpp"
#include "dualagent/model/model_axis.hpp"
#include "dualagent/optim/adamw.hpp"
#include "dualagent/optim/clip.hpp"
#include "dualagent/optim/optimizer.hpp"
#include "dualagent/trace/packed_batch.hpp"
#include "dualagent/train/checkpoint.hpp"
#include "dualagent/train/learner_memory.hpp"
#include "dualagent/train/update_strategy.hpp"

namespace dualagent {

/// How gradients become weights, with an optimizer of one's choice.
/// Example: UpdateOptionsFor<Muon>{.optimizer = {.learning_rate = 1e-3}}
template <class Optimizer>
struct UpdateOptionsFor {
  Optimizer optimizer{};
  /// Global norm, above 0; larger gradients are scaled down to it. Infinity: they stay as they are.
  double max_gradient_norm = 1.0;
  /// Size of the parts in which gradients are summed over ranks: each is summed as soon as the
  /// learner reports it, where the collective can start a sum. The result does not depend on it.
  std::size_t bucket_elements = std::size_t{1} << 20;
};
/// The same with AdamW.
using UpdateOptions = UpdateOptionsFor<AdamW>;

namespace detail {

template <class Optimizer, class Scalar, class Machine>
struct StateInMemoryOf {
  static_assert(check_optimizer_on<Optimizer, Scalar, Machine>());
  using type = StateOn<Optimizer, Scalar, Machine>;
};
template <class Optimizer, class Scalar>
struct StateInMemoryOf<Optimizer, Scalar, cpu::Loops> {
  using type = StateOf<Optimizer, Scalar>;
};

}  // namespace detail

/// One readable sentence if a model on several ranks would be updated over a collective that deals
/// tasks to those ranks.
template <class Model, class C>
consteval bool check_model_axis() {
  static_assert(!OnModelAxis<Model> || is_mesh<C>,
                "dualagent: a model on several ranks is trained over Mesh{data, model}; with one "
                "model group write Mesh{LocalCollective{}, model}; see "
                "docs/collectives.md#two-axes");
  static_assert(!is_context_parallel<C>,
                "dualagent: the ranks of a ContextParallel have one model together, a "
                "ParallelTransformer: train it over Mesh{data, ContextParallel{ranks}}; see "
                "docs/ranks.md#long-rows-on-several-ranks");
  return true;
}

/// Errors: Error on every rank of the model's axis where that is not the mesh's model axis, e.g.
/// its data axis.
template <class Model, class C>
void require_model_axis(Model& model, const C& mesh) {
  auto& axis = model.model_axis();
  const bool other =
      axis.rank() != mesh.model_axis().rank() || axis.size() != mesh.model_axis().size();
  double others[] = {other ? 1.0 : 0.0};
  axis.all_reduce_sum(std::span<double>(others));
  if (others[0] > 0)
    throw Error("a model was made on an axis of size " + std::to_string(axis.size()) +
                    " that is not the mesh's model axis",
                "rank " + std::to_string(mesh.rank()) + " of the data axis and " +
                    std::to_string(mesh.model_axis().rank()) + " of " +
                    std::to_string(mesh.model_axis().size()) + " of the model axis",
                "Give mesh.model_axis() to the model when it is made");
}

/// Errors: Error for a factor of the learning rate that is negative, NaN or infinite.
inline void check_learning_rate_scale(double scale) {
  require_option(scale, kNotNegative, "the learning rate's scale", "learning_rate_scale",
                 "check the schedule that it comes from");
}

/// The optimizer of one model: options, its state and the sequence
/// zero -> backward -> sum over ranks -> clip -> Optimizer::step -> new weight version.
///
/// On several ranks each does all of it, or, on a `Sharded` collective, the part that is its shard;
/// the collective is the same in every call.
/// Parameters, gradients and the optimizer's state stay in the learner's memory: of a learner that
/// computes elsewhere, an update copies the batch there and its outputs back, nothing else.
/// Holds a reference to the model. Determinism: the same batches give the same weights; ranks that
/// start equal stay bit-identical if the collective's sums are.
template <class Model, class Optimizer = AdamW>
class WeightUpdater {
  static_assert(check_learner<Model>());

 public:
  using Scalar = typename decltype(std::declval<Model&>().parameters())::value_type;
  static_assert(check_optimizer<Optimizer, Scalar>());
  /// What the optimizer keeps, in the learner's memory.
  using State = typename detail::StateInMemoryOf<Optimizer, Scalar, MachineOf<Model>>::type;

  /// Of a model on several ranks all of them call it.
  /// Errors: Error for an option that cannot be meant; as `require_model_axis`.
  template <class Collective = LocalCollective>
  WeightUpdater(Model& model, const UpdateOptionsFor<Optimizer>& options,
                const Collective& collective = {})
      : model_(&model),
        options_(options),
        part_(detail::UpdateStrategyOf<Collective>::part(collective, model.parameters().size())),
        state_(make_state()) {
    static_assert(check_model_axis<Model, Collective>());
    if constexpr (kSharded<Collective> || OnModelAxis<Model>)
      static_assert(check_elementwise<Optimizer>());
    if constexpr (OnModelAxis<Model>) {
      if constexpr (is_mesh<Collective>) require_model_axis(model, collective);
      find_counted();
    }
    options.optimizer.template validate<Scalar>();
    require_option(options.bucket_elements, kAtLeastOne, "bucket_elements", "UpdateOptions");
    require_option(options.max_gradient_norm, kPositiveOrInfinite, "max_gradient_norm",
                   "UpdateOptions", "infinity leaves all gradients as they are");
  }

  /// One update from the sum over ranks of this batch's gradients; returns the gradient's norm
  /// before clipping. `objective` is a TokenObjective, what the batch's loss weights are factors
  /// of. A rank may bring an empty batch but must take part. The collective is used from the
  /// learner's threads, too, if it can start sums and the learner reports gradients.
  ///
  /// Errors: a learning rate scale that cannot be meant, and a gradient that is not finite, throw
  /// before any weight is touched.
  template <class Objective, class Collective>
  double update(const PackedBatch& batch, const Objective& objective, TokenOutputs& outputs,
                Collective& collective, double learning_rate_scale = 1.0) {
    check_learning_rate_scale(learning_rate_scale);
    gathered_.clear();
    model_->zero_gradients();
    outputs.resize(batch.size());
    using Strategy = detail::UpdateStrategyOf<Collective>;
    using View = decltype(model_->gradients());
    sum_gradients<typename Strategy::template Buckets<Collective, View>>(batch, objective, outputs,
                                                                         collective);
    decltype(auto) machine = memory_.machine(*model_);
    const double norm = norm_of_gradients<Strategy>(collective, machine);
    if (!std::isfinite(norm)) throw_not_finite();
    const auto gradients = model_->gradients().subspan(part_.begin, part_.size());
    const auto weights = model_->parameters().subspan(part_.begin, part_.size());
    clip_to_norm(machine, gradients, norm, options_.max_gradient_norm);
    if constexpr (kOnHost)
      options_.optimizer.step(weights, std::span<const Scalar>(gradients), state_,
                              learning_rate_scale);
    else
      options_.optimizer.step_on(machine, weights, gradients, state_, learning_rate_scale);
    Strategy::gather(collective, model_->parameters());
    model_->weights_changed();
    return norm;
  }

  /// Adds weights and their version under names that begin with `name`. As `save` otherwise.
  template <class Collective = LocalCollective>
  void save_weights(Checkpoint& checkpoint, const std::string& name,
                    Collective&& collective = {}) const {
    for (const auto& [what, is] : identity()) checkpoint.add(part_name(name, what), is);
    const std::span<const Scalar> weights =
        on_host(*model_, model_->parameters(), gathered_["weights"]);
    const auto all_finite = [&] { require_finite(weights, "a weight", {0, weights.size()}); };
    if constexpr (OnModelAxis<Model>)
      on_all_ranks(model_->model_axis(), all_finite);
    else
      all_finite();
    if constexpr (OnModelAxis<Model>)
      if (collective.rank() != 0 || model_->model_axis().rank() != 0) checkpoint.whole = false;
    checkpoint.add(name + ".weights", stored("weights", weights, collective));
    checkpoint.add(name + ".weight_version", std::to_string(model_->weight_version()));
  }

  /// Adds weights and their version, the optimizer's state of all ranks and its step count under
  /// names that begin with `name`. Model and updater must outlive the checkpoint and stay unchanged
  /// until it is written. On a `Sharded` collective all ranks must call it, and of a model on
  /// several ranks all of these; then the rank that `is_first_rank(mesh)` alone may write it.
  /// Errors: Error for a name that is taken, and for weights that are not finite, on this rank or
  /// another one of its model.
  template <class Collective = LocalCollective>
  void save(Checkpoint& checkpoint, const std::string& name, Collective&& collective = {}) const {
    save_weights(checkpoint, name, collective);
    state_.for_each([&](std::string_view array, const auto& values) {
      checkpoint.add(part_name(name, array),
                     stored(array, whole(array, values, collective), collective));
    });
    checkpoint.add(name + ".updates", std::to_string(state_.steps));
  }

  /// Errors: Error unless the checkpoint is of this model, as far as the model says which it is,
  /// and has all that `load` takes, of the right types and sizes.
  void check(const StoredCheckpoint& checkpoint, const std::string& name) const {
    check_identity(checkpoint, name);
    const std::size_t parameters = stored_parameters(*model_);
    checkpoint.template require_array<Scalar>(name + ".weights", parameters);
    state_.for_each([&](std::string_view array, const auto& values) {
      checkpoint.template require_array<Scalar>(
          part_name(name, array), is_elementwise<Optimizer>() ? parameters : values.size());
    });
    checkpoint.number(name + ".updates");
    checkpoint.number(name + ".weight_version");
  }

  /// Brings back what `save` wrote, bit by bit; all of it or nothing.
  /// Errors: Error when an array is missing or of another type or size.
  void load(const StoredCheckpoint& checkpoint, const std::string& name) {
    check(checkpoint, name);
    load_parameters(*model_, checkpoint, name + ".weights");
    state_.for_each([&](std::string_view array, auto& to) {
      const std::string stored = part_name(name, array);
      if constexpr (kOnHost) {
        if (updates_all()) return load_array(*model_, checkpoint, stored, std::span<Scalar>(to));
        std::vector<Scalar> all(model_->parameters().size());
        load_array(*model_, checkpoint, stored, std::span(all));
        const auto mine = part_of(std::span(all));
        std::copy(mine.begin(), mine.end(), to.begin());
      } else {
        const auto all = checkpoint.template values<Scalar>(stored);
        memory_.machine(*model_).upload(part_of(std::span(all)), to);
      }
    });
    state_.steps = checkpoint.number(name + ".updates");
    model_->weights_changed(checkpoint.number(name + ".weight_version"));
  }

  Model& model() { return *model_; }
  const Model& model() const { return *model_; }
  /// Of the part of the parameters that this rank updates.
  State& state() { return state_; }
  const State& state() const { return state_; }

 private:
  template <class Collective>
  static constexpr bool kSharded =
      std::is_same_v<detail::UpdateStrategyOf<Collective>, detail::ShardedUpdate>;

  static constexpr bool kOnHost = std::is_same_v<MachineOf<Model>, cpu::Loops>;

  State make_state() {
    if constexpr (kOnHost)
      return options_.optimizer.template make_state<Scalar>(part_.size(), model_->tensors());
    else
      return options_.optimizer.template make_state_on<Scalar>(memory_.machine(*model_),
                                                               part_.size(), model_->tensors());
  }

  static std::string part_name(const std::string& name, std::string_view array) {
    return name + "." + std::string(array);
  }
  bool updates_all() const { return part_.size() == model_->parameters().size(); }
  /// An array as a checkpoint keeps it; see `stored_array`.
  template <class Collective>
  std::span<const Scalar> stored(std::string_view array, std::span<const Scalar> values,
                                 const Collective& collective) const {
    const std::string room = std::string(array) + " of all";
    return stored_array(*model_, values, gathered_[room], collective.rank() == 0);
  }

  /// What this rank has of an array of all ranks.
  template <class T>
  std::span<T> part_of(std::span<T> all) const {
    return updates_all() ? all : all.subspan(part_.begin, part_.size());
  }

  /// An array of the state on the host, with what the other ranks have of it.
  template <class Array, class Collective>
  std::span<const Scalar> whole(std::string_view array, const Array& values,
                                Collective& collective) const {
    AlignedVector<Scalar>& gathered = gathered_[std::string(array)];
    if constexpr (kOnHost) {
      if (updates_all()) return values;
      gathered.assign(model_->parameters().size(), Scalar{0});
      std::copy(values.begin(), values.end(),
                gathered.begin() + static_cast<std::ptrdiff_t>(part_.begin));
    } else {
      gathered.assign(updates_all() ? values.size() : model_->parameters().size(), Scalar{0});
      model_->loops().download(values, part_of(std::span(gathered)));
      if (updates_all()) return gathered;
    }
    detail::UpdateStrategyOf<std::remove_const_t<Collective>>::gather(collective,
                                                                      std::span<Scalar>(gathered));
    return gathered;
  }

  /// The norm of the gradients; of a model on several ranks that of all of them, in which what
  /// every rank has counts once.
  template <class Strategy, class Collective, class Machine>
  double norm_of_gradients(Collective& collective, Machine& machine) {
    if constexpr (OnModelAxis<Model>) {
      double sum[] = {Strategy::squares(collective, model_->gradients(), counted_)};
      model_->model_axis().all_reduce_sum(std::span<double>(sum));
      return std::sqrt(sum[0]);
    } else {
      return Strategy::norm(collective, machine, model_->gradients());
    }
  }

  /// The parts of the gradients that count on this rank of a model axis.
  void find_counted() {
    for (const TensorSlices::Run& run : model_->slices().runs()) {
      if (!model_->slices().counts(run)) continue;
      if (counted_.empty() || counted_.back().end != run.mine)
        counted_.push_back({run.mine, run.mine});
      counted_.back().end += run.size;
    }
  }

  /// This batch's gradients, of all ranks.
  template <class Buckets, class Objective, class Collective>
  void sum_gradients(const PackedBatch& batch, const Objective& objective, TokenOutputs& outputs,
                     Collective& collective) {
    constexpr bool kReports = requires {
      model_->backward(batch, objective, outputs, IgnoreReady{});
    };
    if constexpr (Buckets::kStarts && kReports) {
      Buckets buckets(collective, model_->gradients(), options_.bucket_elements);
      if (batch.rows() > 0)
        memory_.backward(*model_, batch, objective, outputs,
                         [&](std::size_t begin, std::size_t end) { buckets.ready(begin, end); });
      buckets.finish();
    } else {
      if (batch.rows() > 0) memory_.backward(*model_, batch, objective, outputs);
      Buckets(collective, model_->gradients(), options_.bucket_elements).finish();
    }
  }

  /// What the model says that it is beside its parameters, e.g. which adapter over which base.
  RunFingerprint identity() const {
    if constexpr (requires { RunFingerprint(model_->identity()); }) return model_->identity();
    return {};
  }
  void check_identity(const StoredCheckpoint& checkpoint, const std::string& name) const {
    const RunFingerprint now = identity();
    RunFingerprint before;
    for (const auto& [what, is] : now)
      if (const auto found = checkpoint.texts().find(part_name(name, what));
          found != checkpoint.texts().end())
        before.emplace(what, found->second);
    const std::string differences = fingerprint_differences(before, now);
    if (!differences.empty())
      throw Error("the checkpoint's " + name + " is another model: " + differences,
                  checkpoint.where(), "Resume with the model that the run was started with");
  }

  [[noreturn]] void throw_not_finite() const {
    AlignedVector<Scalar> room;
    require_finite(on_host(*model_, model_->gradients(), room), "a gradient", part_);
    if (part_.size() < model_->parameters().size() || OnModelAxis<Model>)
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
  LearnerMemory<Model> memory_;
  UpdateOptionsFor<Optimizer> options_;
  Shard part_;                  // of the parameters, that this rank updates
  std::vector<Shard> counted_;  // of a model on several ranks
  State state_;                 // of that part
  /// What `save` has copied or gathered, [parameters] each; empty from the next update on.
  mutable std::map<std::string, AlignedVector<Scalar>> gathered_;
};

}  // namespace dualagent
