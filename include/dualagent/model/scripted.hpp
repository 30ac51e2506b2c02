#pragma once

#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "dualagent/model/backend.hpp"

namespace dualagent {

/// A backend without weights that says what a function tells it; for tests and dry runs.
///
/// The function sees the context, the agent and the request's random stream, and returns the tokens
/// of one generation. Stop rules are obeyed: tokens after the rule's end are not emitted, and one
/// token is emitted per `advance`, as a real model would. Every log-probability is log(1/2).
class ScriptedModel {
 public:
  using Script = std::function<std::vector<Token>(std::span<const Token> context, AgentRole agent,
                                                  const RandomStream& random)>;

  ScriptedModel(std::size_t vocab_size, Script script,
                std::size_t max_context_tokens = std::numeric_limits<std::size_t>::max())
      : vocab_size_(vocab_size),
        max_context_tokens_(max_context_tokens),
        script_(std::move(script)) {}

  std::size_t vocab_size() const { return vocab_size_; }
  std::size_t max_context_tokens() const { return max_context_tokens_; }
  WeightVersion weight_version() const { return 0; }

  void submit(const GenerationRequest& request) {
    std::vector<Token> tokens = script_(request.context, request.agent, request.random);
    if (tokens.empty()) throw Error("a script returned no tokens", "ScriptedModel");
    running_.push_back({request, std::move(tokens), 0});
  }

  template <class OnFinished>
  std::size_t advance(OnFinished&& on_finished) {
    std::vector<Running> still;
    for (Running& running : running_) {
      ++running.emitted;
      FinishReason finish;
      if (ended(running, finish))
        on_finished(finish_generation(running, finish));
      else
        still.push_back(std::move(running));
    }
    running_ = std::move(still);
    return running_.size();
  }

  void release(SequenceId) {}
  void reset() { running_.clear(); }

 private:
  struct Running {
    GenerationRequest request;
    std::vector<Token> script;
    std::size_t emitted;
  };

  bool ended(const Running& running, FinishReason& finish) const {
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

  static Generation finish_generation(Running& running, FinishReason finish) {
    running.script.resize(running.emitted);
    std::vector<float> log_probs(running.emitted, std::log(0.5F));
    return {running.request.sequence,
            BackendAccess::sampled(running.request.agent, 0, std::move(running.script),
                                   std::move(log_probs)),
            finish};
  }

  std::size_t vocab_size_;
  std::size_t max_context_tokens_;
  Script script_;
  std::vector<Running> running_;
};

}  // namespace dualagent
