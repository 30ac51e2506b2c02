#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dualagent/io/archive.hpp"
#include "dualagent/trace/span.hpp"

/// What a model sampled, as bytes: the part that the codec of rollouts and the journal share.
namespace dualagent {

namespace detail {

inline constexpr std::size_t kVersionRunBytes = 8 + 8;

template <class Enum>
Enum decode_one_of(ArchiveReader& in, Enum last, std::string_view what) {
  const auto value = in.number<std::uint8_t>(what);
  if (value > static_cast<std::uint8_t>(last))
    in.fail("there is no " + std::string(what) + " " + std::to_string(value));
  return static_cast<Enum>(value);
}

inline bool decode_flag(ArchiveReader& in, std::string_view what) {
  const auto value = in.number<std::uint8_t>(what);
  if (value > 1) in.fail("whether there is " + std::string(what) + " is neither 0 nor 1");
  return value == 1;
}

inline std::vector<Token> decode_tokens(ArchiveReader& in, std::size_t size) {
  std::vector<Token> tokens = in.numbers<Token>(size, "a span's tokens");
  if (std::any_of(tokens.begin(), tokens.end(), [](Token token) { return token < 0; }))
    in.fail("a token is negative");
  return tokens;
}

/// All that sampled tokens carry beside themselves and their agent.
inline void encode_draws(ArchiveWriter& out, std::span<const float> log_probs,
                         std::span<const float> drawn_log_probs,
                         std::span<const WeightVersion> versions) {
  const bool left_out = !same_bits(log_probs, drawn_log_probs);
  out.numbers(log_probs);
  out.number(static_cast<std::uint8_t>(left_out ? 1 : 0));
  if (left_out) out.numbers(drawn_log_probs);
  const std::vector<VersionRun> runs = version_runs(versions);
  out.count(runs.size());
  for (const VersionRun& run : runs) {
    out.number(run.version);
    out.count(run.tokens);
  }
}

inline std::vector<float> decode_log_probs(ArchiveReader& in, std::size_t size) {
  std::vector<float> log_probs = in.numbers<float>(size, "a span's log-probabilities");
  if (!std::all_of(log_probs.begin(), log_probs.end(), is_log_prob))
    in.fail("a sampled token's log-probability is positive or not finite");
  return log_probs;
}

/// One version per token, from runs; each list of versions has one encoding.
inline std::vector<WeightVersion> decode_versions(ArchiveReader& in, std::size_t tokens) {
  std::vector<WeightVersion> versions;
  const std::size_t runs = in.count("a span's weight versions", kVersionRunBytes);
  for (std::size_t i = 0; i < runs; ++i) {
    const auto version = in.number<WeightVersion>("a weight version");
    const auto run = in.number<std::uint64_t>("a weight version's tokens");
    if (run == 0 || run > tokens - versions.size())
      in.fail("a weight version has " + std::to_string(run) + " tokens where " +
              std::to_string(tokens - versions.size()) + " are left");
    if (i > 0 && version == versions.back()) in.fail("a weight version follows itself");
    versions.insert(versions.end(), static_cast<std::size_t>(run), version);
  }
  if (versions.size() != tokens) in.fail("a sampled token has no weight version");
  return versions;
}

inline Sampled decode_draws(ArchiveReader& in, AgentRole agent, std::vector<Token> tokens) {
  std::vector<float> log_probs = decode_log_probs(in, tokens.size());
  std::vector<float> drawn;
  if (decode_flag(in, "a span's log-probabilities of the draw")) {
    drawn = decode_log_probs(in, tokens.size());
    if (same_bits(drawn, log_probs)) in.fail("a span's log-probabilities are given twice");
  }
  std::vector<WeightVersion> versions = decode_versions(in, tokens.size());
  return BackendAccess::sampled(agent, std::move(versions), std::move(tokens), std::move(log_probs),
                                std::move(drawn));
}

}  // namespace detail

/// Appends all of a sampled span, every bit of it; it may be empty.
inline void encode_sampled(ArchiveWriter& out, const Sampled& sampled) {
  out.number(static_cast<std::uint8_t>(sampled.agent()));
  out.count(sampled.tokens().size());
  out.numbers(sampled.tokens());
  detail::encode_draws(out, sampled.log_probs(), sampled.drawn_log_probs(),
                       sampled.weight_versions());
}

/// The span that `encode_sampled` was given. Errors: Error where the bytes hold what no model can
/// have sampled; see `decode_rollout`.
inline Sampled decode_sampled(ArchiveReader& in) {
  const auto agent = detail::decode_one_of<AgentRole>(in, AgentRole::summarizer, "agent");
  const std::size_t size = in.count("a span's tokens", sizeof(Token));
  return detail::decode_draws(in, agent, detail::decode_tokens(in, size));
}

}  // namespace dualagent
