#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "dualagent/core/types.hpp"
#include "dualagent/cpu/policy_loss.inl"
#include "dualagent/cpu/sampling.inl"
#include "dualagent/model/backend.hpp"
#include "dualagent/text/stop_rule.hpp"

namespace dualagent::detail {

struct DrawnToken {
  Token token = 0;
  float log_prob = 0.0F;        // nats, of softmax(logits / temperature)
  float drawn_log_prob = 0.0F;  // nats, of the distribution that was drawn from
};

/// What logits are multiplied with before the softmax: at temperature 0 as at 1.
template <class T>
T inverse_temperature(const SamplingOptions& options) {
  return options.temperature == 0.0F ? T{1} : T{1} / static_cast<T>(options.temperature);
}

/// Draws a token from a row z [vocab] of which `row` says what cpu::log_softmax_row found, and
/// exp(z) [vocab] of it; see draw_token.
template <class T>
DrawnToken draw_from(std::size_t vocab, const SamplingOptions& options, std::uint64_t bits,
                     const cpu::LogitsRow<T>& row, const T* z, T* exps) {
  std::size_t drawn = 0;   // also where logits are not finite: refused for its log-probability
  std::uint64_t kept = 0;  // weights of what may be drawn; 0: everything
  if (options.temperature == 0.0F) {
    drawn = static_cast<std::size_t>(std::max_element(z, z + vocab) - z);
  } else if (std::isfinite(row.sum)) {
    if (options.leaves_out())
      kept = cpu::leave_out(vocab, exps, options.top_k, options.top_p, options.min_p);
    drawn = cpu::sample(vocab, exps, bits);
  }
  DrawnToken token{static_cast<Token>(drawn), static_cast<float>(z[drawn] - row.log_sum)};
  token.drawn_log_prob = token.log_prob;
  if (kept != 0)  // weights are in units of 2^-32
    token.drawn_log_prob = static_cast<float>(static_cast<double>(z[drawn]) -
                                              std::log(static_cast<double>(kept) * 0x1p-32));
  return token;
}

/// Draws a token from softmax(logits / temperature) without what top-k, top-p and min-p leave out
/// (cpu::leave_out), or takes the most probable one at temperature 0, where both
/// log-probabilities are that of temperature 1.
///
/// logits [vocab] are overwritten; exps [vocab padded] is scratch. `bits` are 64 random bits.
/// Logits that are not finite give a log-probability that is not finite, either.
template <class T>
DrawnToken draw_token(std::size_t vocab, const SamplingOptions& options, std::uint64_t bits,
                      T* logits, T* exps) {
  const cpu::LogitsRow<T> row =
      cpu::log_softmax_row(vocab, inverse_temperature<T>(options), logits, exps);
  return draw_from(vocab, options, bits, row, logits, exps);
}

/// Why a generation ends with the last of its tokens, if it does. `generated` is not empty.
inline std::optional<FinishReason> finish_reason(const StopRule& stop,
                                                 std::span<const Token> generated,
                                                 bool context_full) {
  if (std::find(stop.stop_tokens.begin(), stop.stop_tokens.end(), generated.back()) !=
      stop.stop_tokens.end())
    return FinishReason::stop;
  if (stop.stop_early && stop.stop_early(generated)) return FinishReason::early;
  if (generated.size() >= stop.max_new_tokens) return FinishReason::length;
  if (context_full) return FinishReason::context_full;
  return std::nullopt;
}

}  // namespace dualagent::detail
