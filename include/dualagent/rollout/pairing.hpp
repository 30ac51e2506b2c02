#pragma once

#include <concepts>

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
  static constexpr SummaryWindow summary_window = SummaryWindow::shared;
  Model& model;

  Model& of(AgentRole) const { return model; }

  /// Calls `visit(model, trains)` once; `trains(role)` says whether the model is that role's.
  template <class Visitor>
  void for_each_model(Visitor&& visit) const {
    visit(model, [](AgentRole) { return true; });
  }
};
template <class Model>
SharedWeights(Model&) -> SharedWeights<Model>;

/// Two models, one for each agent. Holds references: the models must outlive it.
template <class AnswererModel, class SummarizerModel>
struct SeparateWeights {
  static constexpr SummaryWindow summary_window = SummaryWindow::separate;
  AnswererModel& answerer;
  SummarizerModel& summarizer;

  /// Calls `visit(model, trains)` for each model, the Answerer's first.
  template <class Visitor>
  void for_each_model(Visitor&& visit) const {
    visit(answerer, [](AgentRole role) { return role == AgentRole::answerer; });
    visit(summarizer, [](AgentRole role) { return role == AgentRole::summarizer; });
  }
};
template <class AnswererModel, class SummarizerModel>
SeparateWeights(AnswererModel&, SummarizerModel&) -> SeparateWeights<AnswererModel, SummarizerModel>;

}  // namespace dualagent
