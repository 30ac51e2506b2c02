#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "dualagent/core/error.hpp"
#include "dualagent/core/types.hpp"
#include "dualagent/engine/engine_wire.hpp"
#include "dualagent/model/backend.hpp"
#include "dualagent/model/token_sampling.hpp"
#include "dualagent/text/stop_rule.hpp"
#include "dualagent/trace/span.hpp"

namespace dualagent {

/// One GenerationRequest that an engine elsewhere carries out, in one reply or several.
///
/// The stop rule decides here, token by token, where the generation ends; an engine only has to
/// stop not before it. What it is told of the rule saves tokens: stop tokens, strings, the length
/// of patterns. Where it stopped too early (at a string before the rule's check is true, at an
/// end-of-sequence token that is none of the rule's), it is asked to go on.
class GenerationJob {
 public:
  /// Errors: Error for a request that no engine may get: an empty context or one that leaves no
  /// room, an id outside the vocabulary (it ends SGLang's process), and top-k, top-p or min-p,
  /// since engines report either the log-probability of the whole vocabulary or that of what is
  /// left, and training needs both.
  GenerationJob(const GenerationRequest& request, std::size_t vocab_size,
                std::size_t max_context_tokens)
      : request_(request),
        max_context_tokens_(max_context_tokens),
        tokens_(request.context.begin(), request.context.end()) {
    request.sampling.validate("GenerationRequest", "sampling.");
    if (request.sampling.leaves_out())
      throw Error("top_k, top_p or min_p leaves tokens out", "a request to an engine",
                  "Sample from all tokens, or by a model in this process");
    if (tokens_.empty() || tokens_.size() >= max_context_tokens)
      throw Error("a context has " + std::to_string(tokens_.size()) +
                      " tokens, but the engine continues 1 to " +
                      std::to_string(max_context_tokens - 1),
                  "a request to an engine", "Lower RolloutLimits::max_context_tokens");
    for (const Token token : tokens_)
      if (token < 0 || static_cast<std::size_t>(token) >= vocab_size)
        throw Error("a context has the token " + std::to_string(token) + ", but the model has " +
                        std::to_string(vocab_size),
                    "a request to an engine", "Use the tokenizer of the engine's model");
  }

  /// What the engine is asked next.
  EngineCall call() const {
    const StopRule& stop = *request_.stop;
    EngineCall call{.tokens = tokens_,
                    .temperature = request_.sampling.temperature,
                    .max_new_tokens = std::min(most_tokens(stop) - log_probs_.size(),
                                               max_context_tokens_ - tokens_.size()),
                    .stop_tokens = stop.stop_tokens,
                    .seed = request_.random.bits(log_probs_.size()) >> 1U};
    if (!strings_passed_) call.strings = stop.stop_early.strings();
    return call;
  }

  /// Takes a reply's tokens, up to where the rule ends the generation, with the version of each;
  /// returns why it ended, or nothing where the engine has to go on.
  /// Errors: Error for a reply without tokens, with which nothing would ever end.
  std::optional<FinishReason> take(const EngineReply& reply,
                                   std::span<const WeightVersion> versions) {
    for (std::size_t i = 0; i < reply.tokens.size(); ++i) {
      tokens_.push_back(reply.tokens[i]);
      log_probs_.push_back(reply.log_probs[i]);
      versions_.push_back(versions[i]);
      const bool full = tokens_.size() >= max_context_tokens_;
      if (const auto reason = detail::finish_reason(*request_.stop, generated(), full))
        return reason;
    }
    if (reply.tokens.empty() && reply.end != EngineEnd::aborted)
      throw Error("a reply has no tokens", "engine's reply", "Look into the engine's log");
    // Perhaps at a string, after which the rule's check may be true at any token.
    if (reply.end == EngineEnd::stop) strings_passed_ = true;
    return std::nullopt;
  }

  std::span<const Token> generated() const { return std::span(tokens_).last(log_probs_.size()); }
  const GenerationRequest& request() const { return request_; }

  Generation finished(FinishReason reason) {
    const std::span<const Token> said = generated();
    return {request_.sequence,
            BackendAccess::sampled(request_.agent, std::move(versions_), {said.begin(), said.end()},
                                   std::move(log_probs_)),
            reason};
  }
  Generation failed(std::string reason) const {
    return Generation::failed(request_, std::move(reason));
  }

 private:
  /// After that many tokens the generation has ended, whatever they are.
  static std::size_t most_tokens(const StopRule& stop) {
    const std::vector<TokenPattern>& patterns = stop.stop_early.patterns();
    std::size_t longest = 0;
    for (const TokenPattern& pattern : patterns) {
      if (pattern.open_ended) return stop.max_new_tokens;
      longest = std::max(longest, pattern.positions.size() + 1);
    }
    return patterns.empty() ? stop.max_new_tokens : std::min(stop.max_new_tokens, longest);
  }

  GenerationRequest request_;
  std::size_t max_context_tokens_;
  std::vector<Token> tokens_;  // context and what was generated
  std::vector<float> log_probs_;
  std::vector<WeightVersion> versions_;
  bool strings_passed_ = false;
};

}  // namespace dualagent
