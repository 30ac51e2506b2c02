#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <type_traits>
#include <utility>

#include "dualagent/core/error.hpp"
#include "dualagent/core/types.hpp"
#include "dualagent/model/backend.hpp"

namespace dualagent {

namespace detail {
/// A model as it is given: by its name, or as a temporary, which is refused.
template <class Given>
struct NamedModel {
  using type = Temporary<Given>;
};
template <class Given>
struct NamedModel<Given&> {
  using type = Given;
};
template <class Given>
using Named = typename NamedModel<Given>::type;
}  // namespace detail

/// A role that samples and is not trained: no gradients, no moments, nothing in checkpoints. Holds
/// a reference: the sampler must outlive it.
///
/// Example: SeparateWeights{answerer, Frozen{engine}}
template <class Engine>
struct Frozen {
  static_assert(check_sampler<Engine>());
  Engine& sampler;
};
template <class Engine>
Frozen(Engine&&) -> Frozen<detail::Named<Engine>>;

/// A role that is trained by one object and sampled by another, to which the trainer publishes the
/// learner's weights. Holds references: both must outlive it.
///
/// Example: SeparateWeights{Learning{learner, engine}, summarizer}
template <class LearnerModel, class Engine>
struct Learning {
  static_assert(check_learner<LearnerModel>() && check_sampler<Engine>() &&
                check_takes_weights<Engine, LearnerModel>());
  LearnerModel& learner;
  Engine& sampler;
};
template <class LearnerModel, class Engine>
Learning(LearnerModel&&, Engine&&) -> Learning<detail::Named<LearnerModel>, detail::Named<Engine>>;

namespace detail {

/// Who samples and who learns where a pairing names `Player`: a model that does both, ...
template <class Player>
struct RoleOf {
  using SamplerType = Player;
  using LearnerType = Player;
  using Held = Player&;
  static constexpr bool kTrained = true;
  static Player& sampler(Player& model) { return model; }
  static Player& learner(Player& model) { return model; }
};
/// ... one that only samples, ...
template <class Engine>
struct RoleOf<Frozen<Engine>> {
  using SamplerType = Engine;
  using Held = Frozen<Engine>;
  static constexpr bool kTrained = false;
  static Engine& sampler(const Frozen<Engine>& role) { return role.sampler; }
};
/// ... or one of each.
template <class LearnerModel, class Engine>
struct RoleOf<Learning<LearnerModel, Engine>> {
  using SamplerType = Engine;
  using LearnerType = LearnerModel;
  using Held = Learning<LearnerModel, Engine>;
  static constexpr bool kTrained = true;
  static Engine& sampler(const Held& role) { return role.sampler; }
  static LearnerModel& learner(const Held& role) { return role.learner; }
};

/// What a pairing is made of where this is given: `Frozen` and `Learning` are kept as they are,
/// models by reference.
template <class Given>
using PlayerOf = typename std::conditional_t<
    std::is_same_v<typename RoleOf<std::remove_cvref_t<Given>>::Held, std::remove_cvref_t<Given>>,
    std::type_identity<std::remove_cvref_t<Given>>, NamedModel<Given>>::type;

template <class Player>
consteval bool check_player() {
  static_assert(check_sampler<typename RoleOf<Player>::SamplerType>());
  return true;
}

}  // namespace detail

/// Whether the Summarizer goes on in the Answerer's own context window.
enum class SummaryWindow : std::uint8_t {
  shared,   ///< history, request and summary are one segment: nothing is computed twice
  separate  ///< the summary has a segment of its own, in which the history is given
};

/// One model in two roles: a model, or `Learning{learner, sampler}`. Holds references.
template <class Player>
struct SharedWeights {
  static_assert(detail::check_player<Player>());
  static constexpr SummaryWindow summary_window = SummaryWindow::shared;
  typename detail::RoleOf<Player>::Held model;

  /// What the pair is made of, each once: a model, `Frozen` or `Learning`.
  std::tuple<typename detail::RoleOf<Player>::Held> models() const { return {model}; }
  /// Which of `models()` plays the role.
  static constexpr std::size_t model_of(AgentRole) { return 0; }
};
template <class Given>
SharedWeights(Given&&) -> SharedWeights<detail::PlayerOf<Given>>;

/// Two models, one for each agent; each is a model, `Frozen{sampler}` or
/// `Learning{learner, sampler}`. Holds references.
template <class AnswererPlayer, class SummarizerPlayer>
struct SeparateWeights {
  static_assert(detail::check_player<AnswererPlayer>() && detail::check_player<SummarizerPlayer>());
  static constexpr SummaryWindow summary_window = SummaryWindow::separate;
  typename detail::RoleOf<AnswererPlayer>::Held answerer;
  typename detail::RoleOf<SummarizerPlayer>::Held summarizer;

  std::tuple<typename detail::RoleOf<AnswererPlayer>::Held,
             typename detail::RoleOf<SummarizerPlayer>::Held>
  models() const {
    return {answerer, summarizer};
  }
  static constexpr std::size_t model_of(AgentRole role) {
    return role == AgentRole::answerer ? 0 : 1;
  }
};
template <class Answerer, class Summarizer>
SeparateWeights(Answerer&&, Summarizer&&)
    -> SeparateWeights<detail::PlayerOf<Answerer>, detail::PlayerOf<Summarizer>>;

/// Two adapters over one frozen base, one for each agent: each is an adapted model of the base, or
/// Frozen{adapted model}. Both sample in one decode batch, in which they share the base's products.
/// Holds references.
///
/// The agents' bits are those of two models adapted apart. Errors: Error where a model is not an
/// adapter of this base, or where one adapter is to be both agents.
/// Example: SharedBase{base, answerer, summarizer}
template <class Base, class AnswererPlayer, class SummarizerPlayer>
struct SharedBase : SeparateWeights<AnswererPlayer, SummarizerPlayer> {
  template <class Answerer, class Summarizer>
  SharedBase(const Base& base, Answerer&& answerer_player, Summarizer&& summarizer_player)
      : SeparateWeights<AnswererPlayer, SummarizerPlayer>{answerer_player, summarizer_player} {
    const auto& first = detail::RoleOf<AnswererPlayer>::sampler(this->answerer);
    const auto& second = detail::RoleOf<SummarizerPlayer>::sampler(this->summarizer);
    static_assert(
        requires { first.adapts(base) && second.adapts(base); },
        "dualagent: the agents of SharedBase{base, answerer, summarizer} are adapted "
        "models of the base, AdaptedTransformer answerer(base), or Frozen{answerer}; see "
        "docs/policies.md#pairing");
    if (!first.adapts(base) || !second.adapts(base))
      throw Error("an agent is not an adapter of this base", "SharedBase",
                  "Make both from the base that is given: AdaptedTransformer answerer(base)");
    if (static_cast<const void*>(&first) == static_cast<const void*>(&second))
      throw Error("both agents are one adapter", "SharedBase",
                  "Give each an adapter of its own, or write SharedWeights{adapter}");
  }
};
template <class Base, class Answerer, class Summarizer>
SharedBase(const Base&, Answerer&&, Summarizer&&)
    -> SharedBase<Base, detail::PlayerOf<Answerer>, detail::PlayerOf<Summarizer>>;

/// One readable sentence if P does not say which models play the two roles, e.g. where a model is
/// given.
template <class P>
consteval bool check_pairing() {
  static_assert(
      requires(const P& pairing) {
        std::tuple_size_v<decltype(pairing.models())>;
        { P::model_of(AgentRole::answerer) } -> std::convertible_to<std::size_t>;
        { P::summary_window } -> std::convertible_to<SummaryWindow>;
      },
      "dualagent: a pairing is due here, not a model; write SharedWeights{model}, or "
      "SeparateWeights{answerer_model, summarizer_model}; see docs/policies.md#pairing");
  return true;
}

namespace detail {
template <class Pairing>
using ModelsOf = decltype(std::declval<const Pairing&>().models());
template <class Pairing>
inline constexpr std::size_t kModels = std::tuple_size_v<ModelsOf<Pairing>>;
/// Who samples and who learns as model number I of a pairing.
template <class Pairing, std::size_t I>
using RoleAt = RoleOf<std::remove_reference_t<std::tuple_element_t<I, ModelsOf<Pairing>>>>;
}  // namespace detail

/// Whether the model that plays a role is trained.
template <class Pairing>
constexpr bool is_trained_role(AgentRole role) {
  return [&]<std::size_t... I>(std::index_sequence<I...>) {
    return ((I == Pairing::model_of(role) && detail::RoleAt<Pairing, I>::kTrained) || ...);
  }
  (std::make_index_sequence<detail::kModels<Pairing>>{});
}

/// Calls `visit(sampler, index)` for every model of the pair, where `sampler` is what samples as it
/// and `index` is an std::integral_constant, so that it can also pick an element of a tuple.
template <class Pairing, class Visitor>
void for_each_model(const Pairing& pairing, Visitor&& visit) {
  const auto models = pairing.models();
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    (visit(detail::RoleAt<Pairing, I>::sampler(std::get<I>(models)),
           std::integral_constant<std::size_t, I>{}),
     ...);
  }
  (std::make_index_sequence<detail::kModels<Pairing>>{});
}

}  // namespace dualagent
