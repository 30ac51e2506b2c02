#pragma once

/// Definitions of scripted.hpp; see core/compiled.hpp.

#include "dualagent/model/scripted.hpp"

namespace dualagent {

DUALAGENT_INLINE void ScriptedModel::submit(const GenerationRequest& request) {
  std::vector<Token> tokens = script_(request.context, request.agent, request.random);
  if (tokens.empty()) throw Error("a script returned no tokens", "ScriptedModel");
  running_.push_back({request, std::move(tokens), 0});
}

DUALAGENT_INLINE bool ScriptedModel::ended(const Running& running, FinishReason& finish) const {
  const StopRule& stop = *running.request.stop;
  const std::span<const Token> said(running.script.data(), running.emitted);
  for (const Token token : stop.stop_tokens)
    if (said.back() == token) return finish = FinishReason::stop, true;
  if (stop.stop_early && stop.stop_early(said)) return finish = FinishReason::early, true;
  if (said.size() >= stop.max_new_tokens) return finish = FinishReason::length, true;
  if (running.request.context.size() + said.size() >= max_context_tokens_)
    return finish = FinishReason::context_full, true;
  if (said.size() == running.script.size())
    throw Error("a script ended without a stop token", "ScriptedModel",
                "Return tokens up to a stop token or to the token limit");
  return false;
}

DUALAGENT_INLINE Generation ScriptedModel::finish_generation(Running& running,
                                                             FinishReason finish) {
  running.script.resize(running.emitted);
  std::vector<float> log_probs(running.emitted, std::log(0.5F));
  return {running.request.sequence,
          BackendAccess::sampled(running.request.agent, 0, std::move(running.script),
                                 std::move(log_probs)),
          finish};
}

}  // namespace dualagent
