#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <type_traits>
#include <utility>

#include "dualagent/core/types.hpp"
#include "dualagent/model/backend.hpp"

namespace dualagent {

/// Whether the Summarizer goes on in the Answerer's own context window.
enum class SummaryWindow : std::uint8_t {
  shared,   ///< history, request and summary are one segment: nothing is computed twice
  separate  ///< the summary has a segment of its own, in which the history is given
};

/// One model in two roles. Holds a reference: the model must outlive it.
template <class Model>
struct SharedWeights {
  static_assert(check_model_backend<Model>());
  static constexpr SummaryWindow summary_window = SummaryWindow::shared;
  Model& model;

  /// The models of the pair, each once.
  std::tuple<Model&> models() const { return std::tie(model); }
  /// Which of `models()` plays the role.
  static constexpr std::size_t model_of(AgentRole) { return 0; }
};
template <class Model>
SharedWeights(Model&) -> SharedWeights<Model>;
template <class Model>
SharedWeights(const Model&&) -> SharedWeights<detail::Temporary<Model>>;

/// Two models, one for each agent. Holds references: the models must outlive it.
template <class AnswererModel, class SummarizerModel>
struct SeparateWeights {
  static_assert(check_model_backend<AnswererModel>() && check_model_backend<SummarizerModel>());
  static constexpr SummaryWindow summary_window = SummaryWindow::separate;
  AnswererModel& answerer;
  SummarizerModel& summarizer;

  std::tuple<AnswererModel&, SummarizerModel&> models() const {
    return std::tie(answerer, summarizer);
  }
  static constexpr std::size_t model_of(AgentRole role) {
    return role == AgentRole::answerer ? 0 : 1;
  }
};
template <class AnswererModel, class SummarizerModel>
SeparateWeights(AnswererModel&, SummarizerModel&)
    -> SeparateWeights<AnswererModel, SummarizerModel>;
template <class AnswererModel, class SummarizerModel>
SeparateWeights(const AnswererModel&&, const SummarizerModel&&)
    -> SeparateWeights<detail::Temporary<AnswererModel>, detail::Temporary<SummarizerModel>>;

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

/// Calls `visit(model, index)` for every model of the pair, where `index` is an
/// std::integral_constant, so that it can also pick an element of a tuple.
template <class Pairing, class Visitor>
void for_each_model(const Pairing& pairing, Visitor&& visit) {
  const auto models = pairing.models();
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    (visit(std::get<I>(models), std::integral_constant<std::size_t, I>{}), ...);
  }
  (std::make_index_sequence<std::tuple_size_v<decltype(pairing.models())>>{});
}

}  // namespace dualagent
