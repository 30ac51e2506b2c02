#pragma once

/// Definitions of context.hpp; see core/compiled.hpp.

#include "dualagent/trace/context.hpp"

namespace dualagent {

DUALAGENT_INLINE void Context::append(Provenance provenance, std::span<const Token> tokens,
                                      AgentRole agent) {
  if (provenance == Provenance::sampled)
    throw Error("given tokens cannot have provenance 'sampled'", "Context::append",
                "Only a sampler makes sampled spans");
  if (tokens.empty()) return;
  spans_.push_back({provenance, agent, tokens_.size(), tokens.size()});
  tokens_.insert(tokens_.end(), tokens.begin(), tokens.end());
  log_probs_.resize(tokens_.size(), 0.0F);
  if (!drawn_log_probs_.empty()) drawn_log_probs_.resize(tokens_.size(), 0.0F);
  weight_versions_.resize(tokens_.size(), 0);
}

DUALAGENT_INLINE void Context::append(const Sampled& sampled) {
  if (sampled.tokens().empty()) return;
  const auto add = [](auto& to, const auto& from) {
    to.insert(to.end(), from.begin(), from.end());
  };
  spans_.push_back({Provenance::sampled, sampled.agent(), tokens_.size(), sampled.tokens().size()});
  add(tokens_, sampled.tokens());
  if (sampled.left_out() && drawn_log_probs_.empty()) drawn_log_probs_ = log_probs_;
  if (sampled.left_out() || !drawn_log_probs_.empty())
    add(drawn_log_probs_, sampled.drawn_log_probs());
  add(log_probs_, sampled.log_probs());
  add(weight_versions_, sampled.weight_versions());
}

DUALAGENT_INLINE std::size_t count_turns(const Context& context) {
  std::size_t turns = 0;
  for (const Span& span : context.spans()) turns += starts_turn(span) ? 1 : 0;
  return turns;
}

}  // namespace dualagent
