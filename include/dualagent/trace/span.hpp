#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/types.hpp"

namespace dualagent {

/// Where the tokens of a span come from. Only `sampled` tokens are trained by reinforcement.
enum class Provenance : std::uint8_t {
  prompt,         ///< given: the task
  observation,    ///< given: what a tool or the environment said
  injected,       ///< given: text of the protocol itself, e.g. the request for a summary
  summary,        ///< given: the copy of a summary that the Answerer reads
  action,         ///< given: the copy of an earlier turn, kept verbatim by a rewriter
  demonstration,  ///< given: a scripted agent's tokens, trained by the supervised warm start
  sampled,        ///< made by a model: carries log-probabilities, weight versions and an agent
  inherited,      ///< given: in a fork, what the rollout whose history it goes on with sampled
};

inline constexpr std::string_view to_string(Provenance provenance) {
  switch (provenance) {
    case Provenance::prompt:
      return "prompt";
    case Provenance::observation:
      return "observation";
    case Provenance::injected:
      return "injected";
    case Provenance::summary:
      return "summary";
    case Provenance::action:
      return "action";
    case Provenance::demonstration:
      return "demonstration";
    case Provenance::sampled:
      return "sampled";
    case Provenance::inherited:
      return "inherited";
  }
  return "unknown";
}

/// Tokens that no model sampled in this context. They are never trained by reinforcement.
///
/// `agent` says whose tokens a copied action, a summary or a demonstration are.
struct Given {
  Provenance provenance = Provenance::prompt;  ///< anything but `sampled`
  std::vector<Token> tokens;
  AgentRole agent = AgentRole::answerer;
};

/// Tokens that a model sampled, each with its log-probabilities in nats and one weight version:
/// weights may change while a generation runs.
///
/// `log_probs` are those of the softmax over the whole vocabulary at the sampling temperature. They
/// are what a learner scores and what training uses: ratios of unchanged weights are 1.
/// `drawn_log_probs` are those of the distribution that was drawn from, which top-k, top-p or min-p
/// may have cut: at least as large up to rounding, and the same where nothing was left out.
///
/// Its constructor is private: only samplers make one, through `BackendAccess`. A trainer or a
/// protocol therefore cannot turn text into trained tokens.
class Sampled {
 public:
  std::span<const Token> tokens() const { return tokens_; }
  std::span<const float> log_probs() const { return log_probs_; }  // [tokens]
  std::span<const float> drawn_log_probs() const {                 // [tokens]
    return drawn_log_probs_.empty() ? log_probs_ : drawn_log_probs_;
  }
  /// Whether the two kinds of log-probabilities differ.
  bool left_out() const { return !drawn_log_probs_.empty(); }
  std::span<const WeightVersion> weight_versions() const { return weight_versions_; }  // [tokens]
  AgentRole agent() const { return agent_; }

 private:
  friend struct BackendAccess;
  Sampled(AgentRole agent, std::vector<WeightVersion> versions, std::vector<Token> tokens,
          std::vector<float> log_probs, std::vector<float> drawn_log_probs);

  AgentRole agent_;
  std::vector<Token> tokens_;
  std::vector<float> log_probs_;
  std::vector<float> drawn_log_probs_;  // empty: they are log_probs_
  std::vector<WeightVersion> weight_versions_;
};

/// Whether a number can be the log-probability of a sampled token: finite and <= 0; a little above
/// 0 is rounding and accepted.
bool is_log_prob(float value);

/// Whether two columns of one length hold the same bits.
bool same_bits(std::span<const float> a, std::span<const float> b);

/// The only maker of `Sampled` spans; for the authors of samplers. A rollout that was stored
/// gets its own back through `decode_rollout`, a journal through `decode_sampled`.
struct BackendAccess {
  /// All tokens drawn from weights of one version. Errors: those below.
  static Sampled sampled(AgentRole agent, WeightVersion version, std::vector<Token> tokens,
                         std::vector<float> log_probs, std::vector<float> drawn_log_probs = {});

  /// `versions` [tokens]: of the weights that each token was drawn from. `drawn_log_probs`
  /// [tokens], or empty where nothing was left out.
  /// Errors: throws when lengths differ or a number is not a log-probability (`is_log_prob`),
  /// naming the token's index.
  static Sampled sampled(AgentRole agent, std::vector<WeightVersion> versions,
                         std::vector<Token> tokens, std::vector<float> log_probs,
                         std::vector<float> drawn_log_probs = {});

 private:
  static void require_one_each(std::size_t tokens, std::size_t count, const std::string& what,
                               const std::string& remedy);

  static void check_log_probs(std::span<const float> log_probs);
};

/// Consecutive tokens that were drawn from weights of one version.
struct VersionRun {
  WeightVersion version = 0;
  std::size_t tokens = 0;
  friend bool operator==(const VersionRun&, const VersionRun&) = default;
};

/// The runs of equal versions, in order. Example: version_runs({5, 5, 6}) == {{5, 2}, {6, 1}}.
std::vector<VersionRun> version_runs(std::span<const WeightVersion> versions);

/// One run of tokens of equal provenance inside a `Context`.
struct Span {
  Provenance provenance = Provenance::prompt;
  AgentRole agent = AgentRole::answerer;  ///< who made (or first made) the tokens
  std::size_t begin = 0;                  ///< first token in the context
  std::size_t size = 0;                   ///< number of tokens

  std::size_t end() const { return begin + size; }
  bool is_sampled() const { return provenance == Provenance::sampled; }
  /// Sampled in the course of the whole logical rollout: here, or in the history of a fork.
  bool is_generated() const { return is_sampled() || provenance == Provenance::inherited; }
};

/// Whether a turn of the Answerer begins with this span: its own sampling, or a kept copy of it.
bool starts_turn(const Span& span);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/trace/span.inl"
#endif
