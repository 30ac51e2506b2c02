#pragma once

/// Definitions of span.hpp; see core/compiled.hpp.

#include "dualagent/trace/span.hpp"

namespace dualagent {

DUALAGENT_INLINE Sampled::Sampled(AgentRole agent, std::vector<WeightVersion> versions,
                                  std::vector<Token> tokens, std::vector<float> log_probs,
                                  std::vector<float> drawn_log_probs)
    : agent_(agent),
      tokens_(std::move(tokens)),
      log_probs_(std::move(log_probs)),
      drawn_log_probs_(std::move(drawn_log_probs)),
      weight_versions_(std::move(versions)) {}

DUALAGENT_INLINE bool is_log_prob(float value) { return std::isfinite(value) && value <= 1e-3F; }

DUALAGENT_INLINE bool same_bits(std::span<const float> a, std::span<const float> b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](float x, float y) {
    return std::bit_cast<std::uint32_t>(x) == std::bit_cast<std::uint32_t>(y);
  });
}

DUALAGENT_INLINE Sampled BackendAccess::sampled(AgentRole agent, WeightVersion version,
                                                std::vector<Token> tokens,
                                                std::vector<float> log_probs,
                                                std::vector<float> drawn_log_probs) {
  std::vector<WeightVersion> versions(tokens.size(), version);
  return sampled(agent, std::move(versions), std::move(tokens), std::move(log_probs),
                 std::move(drawn_log_probs));
}

DUALAGENT_INLINE Sampled BackendAccess::sampled(AgentRole agent,
                                                std::vector<WeightVersion> versions,
                                                std::vector<Token> tokens,
                                                std::vector<float> log_probs,
                                                std::vector<float> drawn_log_probs) {
  require_one_each(tokens.size(), log_probs.size(), "log-probabilities",
                   "A backend must report one log-probability per token");
  require_one_each(tokens.size(), versions.size(), "weight versions",
                   "A backend must report one weight version per token");
  check_log_probs(log_probs);
  if (!drawn_log_probs.empty()) {
    require_one_each(tokens.size(), drawn_log_probs.size(), "log-probabilities of the draw",
                     "A backend reports one per token, or none where nothing was left out");
    check_log_probs(drawn_log_probs);
    if (same_bits(log_probs, drawn_log_probs)) drawn_log_probs.clear();
  }
  return Sampled(agent, std::move(versions), std::move(tokens), std::move(log_probs),
                 std::move(drawn_log_probs));
}

DUALAGENT_INLINE void BackendAccess::require_one_each(std::size_t tokens, std::size_t count,
                                                      const std::string& what,
                                                      const std::string& remedy) {
  if (count != tokens)
    throw Error("a sampled span has " + std::to_string(tokens) + " tokens but " +
                    std::to_string(count) + " " + what,
                "BackendAccess::sampled", remedy);
}

DUALAGENT_INLINE void BackendAccess::check_log_probs(std::span<const float> log_probs) {
  for (std::size_t i = 0; i < log_probs.size(); ++i)
    if (!is_log_prob(log_probs[i]))
      throw Error("the log-probability of a sampled token is " + std::to_string(log_probs[i]),
                  "token " + std::to_string(i) + " of the span",
                  "Check the backend's logits for NaN or infinity");
}

DUALAGENT_INLINE std::vector<VersionRun> version_runs(std::span<const WeightVersion> versions) {
  std::vector<VersionRun> runs;
  for (const WeightVersion version : versions) {
    if (runs.empty() || runs.back().version != version) runs.push_back({version, 0});
    ++runs.back().tokens;
  }
  return runs;
}

DUALAGENT_INLINE bool starts_turn(const Span& span) {
  return span.agent == AgentRole::answerer &&
         (span.is_generated() || span.provenance == Provenance::action ||
          span.provenance == Provenance::demonstration);
}

}  // namespace dualagent
