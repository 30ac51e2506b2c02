#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#include "dualagent/collective/local.hpp"
#include "dualagent/core/aligned_vector.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/model/model_axis.hpp"
#include "dualagent/rollout/pairing.hpp"
#include "dualagent/store/training_rollout.hpp"
#include "dualagent/trace/rollout.hpp"
#include "dualagent/train/checkpoint.hpp"
#include "dualagent/train/learner_memory.hpp"
#include "dualagent/train/model_group.hpp"
#include "dualagent/train/weight_updater.hpp"

namespace dualagent {

/// What a checkpoint calls a model of a pair: "model0", or "NAME.model0" of a trainer with a name.
inline std::string name_of_model(const std::string& trainer, std::size_t index) {
  return (trainer.empty() ? "" : trainer + ".") + "model" + std::to_string(index);
}

/// Hands the learner's weights over to the sampler, which is another object.
/// Errors: what `publish` throws; Error where the sampler draws from another version afterwards.
template <class Model, class Engine>
void hand_over(Model& learner, Engine& sampler) {
  const WeightVersion version = learner.weight_version();
  const WeightVersion answer = sampler.publish(learner, version);
  if (answer != version)
    throw Error("weights of version " + std::to_string(version) +
                    " were published, but the sampler says that it has version " +
                    std::to_string(answer),
                "publish", "Let publish return once the sampler draws from the new weights");
}

/// Whether the trainer keeps a frozen copy of each learner as it was at first.
enum class ReferencePolicy : bool { none, kept };

/// One learner of a pair with all that belongs to it: its updater, its reference policy, and the
/// sampler that its weights are published to, where that is another object.
template <class Role, ReferencePolicy reference_policy, class Optimizer = AdamW>
class RoleLearner {
 public:
  using Model = typename Role::LearnerType;
  using Engine = typename Role::SamplerType;
  using Scalar = typename WeightUpdater<Model, Optimizer>::Scalar;

  template <class Collective>
  RoleLearner(Model& learner, Engine& sampler, const UpdateOptionsFor<Optimizer>& options,
              const Collective& collective)
      : updater(learner, options, collective), sampler_(&sampler) {
    static_assert(!kPublishes || !OnModelAxis<Model>,
                  "dualagent: a model on several ranks samples for itself; give it alone instead "
                  "of Learning{learner, sampler}; see docs/ranks.md#a-model-on-several-ranks");
    if constexpr (kPublishes)
      if (sampler.vocab_size() != learner.vocab_size())
        throw Error("the sampler has " + std::to_string(sampler.vocab_size()) +
                        " tokens, the learner " + std::to_string(learner.vocab_size()),
                    "Learning", "Give a sampler of the same model as the learner");
    if constexpr (reference_policy == ReferencePolicy::kept)
      reference = std::make_unique<Model>(learner.copy());
  }

  WeightUpdater<Model, Optimizer> updater;
  LearnerMemory<Model> memory;                 ///< for batches that are only scored
  std::unique_ptr<Model> reference = nullptr;  ///< null without a reference policy
  WeightVersion version_at_step = 0;           ///< of the weights at the step's beginning

  /// The reference policy's weights on the host; they stay as they are until `load`.
  std::span<const Scalar> reference_weights() const {
    return on_host(*reference, reference->parameters(), reference_on_host_);
  }
  /// The same as they are stored; see `stored_array`.
  std::span<const Scalar> stored_reference(bool is_stored) const {
    return stored_array(*reference, reference_weights(), whole_reference_, is_stored);
  }

  /// Brings weights back from a checkpoint; the next `publish` hands them over whatever their
  /// version is.
  void load(const StoredCheckpoint& checkpoint, const std::string& name) {
    updater.load(checkpoint, name);
    published_.reset();
  }

  /// Hands weights that are new to the sampler over to it. Errors: as `hand_over`.
  void publish() {
    if constexpr (kPublishes) {
      Model& learner = updater.model();
      const WeightVersion version = learner.weight_version();
      if (published_ == version) return;
      hand_over(learner, *sampler_);
      published_ = version;
    }
  }

 private:
  /// Two objects: the learner's weights do not reach the sampler by themselves.
  static constexpr bool kPublishes = !std::is_same_v<typename Role::Held, Model&>;

  Engine* sampler_;
  mutable AlignedVector<Scalar> reference_on_host_;  // empty for a learner on the host
  mutable AlignedVector<Scalar> whole_reference_;    // of a model on several ranks
  std::optional<WeightVersion> published_;
};

/// The learners of a pair. A `Frozen` role has none and costs nothing here.
///
/// Whenever the pair is about to sample, every sampler has its learner's newest weights; between
/// the updates of one step nothing is published, because nothing samples.
template <class Pairing, ReferencePolicy reference_policy, class Collective = LocalCollective,
          class Optimizer = AdamW>
class PairLearners {
 public:
  using Options = UpdateOptionsFor<Optimizer>;

  PairLearners(const Pairing& pairing, const Options& options, const Collective& collective = {})
      : learners_(make(pairing, options, collective, Indices{})) {}

  /// Calls `visit(learner, index)` for every `RoleLearner`; `index` is its number in the pair, an
  /// std::integral_constant.
  template <class Visitor>
  void for_each(Visitor&& visit) {
    for_each(learners_, visit, Indices{});
  }
  template <class Visitor>
  void for_each(Visitor&& visit) const {
    for_each(learners_, visit, Indices{});
  }

  /// Updates of all learners so far.
  std::uint64_t updates() const {
    std::uint64_t sum = 0;
    for_each([&](const auto& learner, auto) { sum += learner.updater.state().steps; });
    return sum;
  }

  /// The versions of the weights that the two agents have; 0 of one that is not trained.
  AgentVersions versions() const {
    std::array<WeightVersion, detail::kModels<Pairing>> versions{};
    for_each([&](const auto& learner, std::size_t index) {
      versions[index] = learner.updater.model().weight_version();
    });
    return {versions[Pairing::model_of(AgentRole::answerer)],
            versions[Pairing::model_of(AgentRole::summarizer)]};
  }

  /// Errors: Error for a learner without a critic.
  void require_value_heads() const {
    for_each([](const auto& learner, std::size_t index) {
      if (!learner.updater.model().has_value_head())
        throw Error("the objective needs a critic, but model " + std::to_string(index) +
                        " of the pair has no value head",
                    "Trainer", "Train model.with_value_head()");
    });
  }

  /// Does what a step does; an Error that it throws says then whether weights have changed in it.
  template <class Step>
  auto name_changes(const Step& step) {
    const std::uint64_t before = updates();
    try {
      return step();
    } catch (const Error& error) {
      const std::string changed =
          updates() == before
              ? "No weight has changed in this step"
              : "Updates of this step that came before it: " + std::to_string(updates() - before) +
                    "; go on from the last checkpoint";
      throw Error(error.problem(), error.where(),
                  error.remedy().empty() ? changed : error.remedy() + ". " + changed);
    }
  }

  /// Publishes what the samplers do not have yet; see `RoleLearner::publish`.
  void publish() {
    for_each([](auto& learner, auto) { learner.publish(); });
  }

  /// Publishes, and remembers the weights' versions. Errors: as `publish` and
  /// `require_same_copies`.
  void begin_step() {
    for_each([](auto& learner, auto) { require_same_copies(learner.updater.model()); });
    publish();
    for_each([](auto& learner, auto) {
      learner.version_at_step = learner.updater.model().weight_version();
    });
  }

  /// Adds every learner's weights, optimizer's state and reference policy; see
  /// `WeightUpdater::save`.
  void save(Checkpoint& checkpoint, const std::string& name, Collective& collective) const {
    for_each([&](const auto& learner, std::size_t index) {
      learner.updater.save(checkpoint, name_of_model(name, index), collective);
      if constexpr (reference_policy == ReferencePolicy::kept) {
        checkpoint.add(name_of_model(name, index) + ".reference",
                       learner.stored_reference(collective.rank() == 0));
      }
    });
  }

  /// Adds every learner's weights and their version alone; see `WeightUpdater::save_weights`.
  void save_weights(Checkpoint& checkpoint, const std::string& name, Collective& collective) const {
    for_each([&](const auto& learner, std::size_t index) {
      learner.updater.save_weights(checkpoint, name_of_model(name, index), collective);
    });
  }

  /// Brings back what `save` wrote, of all learners or of none, and publishes it.
  void load(const StoredCheckpoint& checkpoint, const std::string& name) {
    for_each([&](auto& learner, std::size_t index) {
      learner.updater.check(checkpoint, name_of_model(name, index));
      if constexpr (reference_policy == ReferencePolicy::kept)
        checkpoint.template require_array<typename std::decay_t<decltype(learner)>::Scalar>(
            name_of_model(name, index) + ".reference", stored_parameters(*learner.reference));
    });
    for_each([&](auto& learner, std::size_t index) {
      learner.load(checkpoint, name_of_model(name, index));
      if constexpr (reference_policy == ReferencePolicy::kept) {
        load_parameters(*learner.reference, checkpoint, name_of_model(name, index) + ".reference");
        learner.reference->weights_changed();
      }
    });
    publish();
  }

 private:
  using Indices = std::make_index_sequence<detail::kModels<Pairing>>;

  struct NotTrained {};

  template <std::size_t I>
  static auto make_one(const Pairing& pairing, const Options& options,
                       const Collective& collective) {
    using Role = detail::RoleAt<Pairing, I>;
    if constexpr (Role::kTrained) {
      const auto models = pairing.models();
      return RoleLearner<Role, reference_policy, Optimizer>(Role::learner(std::get<I>(models)),
                                                            Role::sampler(std::get<I>(models)),
                                                            options, collective);
    } else {
      return NotTrained{};
    }
  }
  template <std::size_t... I>
  static auto make(const Pairing& pairing, const Options& options, const Collective& collective,
                   std::index_sequence<I...>) {
    return std::tuple{make_one<I>(pairing, options, collective)...};
  }

  template <class Learners, class Visitor, std::size_t... I>
  static void for_each(Learners& learners, Visitor& visit, std::index_sequence<I...>) {
    const auto visit_one = [&](auto index) {
      if constexpr (detail::RoleAt<Pairing, decltype(index)::value>::kTrained)
        visit(std::get<decltype(index)::value>(learners), index);
    };
    (visit_one(std::integral_constant<std::size_t, I>{}), ...);
  }

  decltype(make(std::declval<const Pairing&>(), {}, std::declval<const Collective&>(),
                Indices{})) learners_;
};

/// Errors: Error where a view has chosen tokens of a segment whose role is not trained, which its
/// type did not say.
template <class Pairing>
void require_trained_role(const Rollout& rollout, std::size_t segment) {
  const AgentRole owner = rollout.segments[segment].owner;
  if (!is_trained_role<Pairing>(owner))
    throw Error("the view selects tokens of the " + std::string(to_string(owner)) +
                    ", whose model is Frozen",
                "segment " + std::to_string(segment) + " of a rollout of task " + rollout.task_id,
                "Select the other agent's tokens only");
}

}  // namespace dualagent
