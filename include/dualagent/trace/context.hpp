#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "dualagent/trace/span.hpp"

namespace dualagent {

/// What one model sees in one context window: tokens, covered without gap by spans.
///
/// Append-only. Tokens and log-probabilities have one length by construction; the log-probability
/// of a given token is 0 and is never read.
class Context {
 public:
  /// Appends tokens that no model sampled. Empty runs are ignored.
  /// Errors: throws on provenance `sampled`; sampled tokens come from a model backend.
  void append(const Given& given) { append(given.provenance, given.tokens, given.agent); }

  void append(Provenance provenance, std::span<const Token> tokens,
              AgentRole agent = AgentRole::answerer) {
    if (provenance == Provenance::sampled)
      throw Error("given tokens cannot have provenance 'sampled'", "Context::append",
                  "Only a model backend makes sampled spans");
    if (tokens.empty()) return;
    spans_.push_back({provenance, agent, 0, tokens_.size(), tokens.size()});
    tokens_.insert(tokens_.end(), tokens.begin(), tokens.end());
    log_probs_.resize(tokens_.size(), 0.0F);
  }

  /// Appends what a model sampled in this very context.
  void append(const Sampled& sampled) {
    if (sampled.tokens().empty()) return;
    spans_.push_back({Provenance::sampled, sampled.agent(), sampled.weight_version(),
                      tokens_.size(), sampled.tokens().size()});
    tokens_.insert(tokens_.end(), sampled.tokens().begin(), sampled.tokens().end());
    log_probs_.insert(log_probs_.end(), sampled.log_probs().begin(), sampled.log_probs().end());
  }

  std::size_t size() const { return tokens_.size(); }
  bool empty() const { return tokens_.empty(); }
  std::span<const Token> tokens() const { return tokens_; }        // [size]
  std::span<const float> log_probs() const { return log_probs_; }  // [size]
  std::span<const Span> spans() const { return spans_; }
  std::span<const Token> tokens(const Span& span) const {
    return std::span<const Token>(tokens_).subspan(span.begin, span.size);
  }

 private:
  std::vector<Token> tokens_;
  std::vector<float> log_probs_;
  std::vector<Span> spans_;
};

/// Number of turns the Answerer has taken in this context, kept copies included.
inline std::size_t count_turns(const Context& context) {
  std::size_t turns = 0;
  for (const Span& span : context.spans()) turns += starts_turn(span) ? 1 : 0;
  return turns;
}

}  // namespace dualagent
