#pragma once

#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "dualagent/core/check.hpp"
#include "dualagent/core/compiled.hpp"
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
        script_(std::move(script)) {
    require_function(script_, "script", "ScriptedModel");
  }

  std::size_t vocab_size() const { return vocab_size_; }
  std::size_t max_context_tokens() const { return max_context_tokens_; }
  WeightVersion weight_version() const { return 0; }

  void submit(const GenerationRequest& request);

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

  bool ended(const Running& running, FinishReason& finish) const;

  static Generation finish_generation(Running& running, FinishReason finish);

  std::size_t vocab_size_;
  std::size_t max_context_tokens_;
  Script script_;
  std::vector<Running> running_;
};

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/model/scripted.inl"
#endif
