#pragma once

/// Definitions of policy_loss.hpp; see core/compiled.hpp.

#include "dualagent/model/policy_loss.hpp"

namespace dualagent::detail {

DUALAGENT_INLINE void throw_not_finite(const std::string& where, const TokenPrediction& now,
                                       const TokenLossGradient& gradient) {
  throw Error("a policy loss is not finite: log-probability " + std::to_string(now.log_prob) +
                  ", entropy " + std::to_string(now.entropy) + ", loss " +
                  std::to_string(gradient.value) + ", derivatives " +
                  std::to_string(gradient.d_log_prob) + " and " +
                  std::to_string(gradient.d_entropy),
              where, "Look for NaN or infinity in the logits, then in the token loss");
}

DUALAGENT_INLINE void check(const PolicyRows& rows, std::size_t count, std::size_t vocab,
                            const std::string& where) {
  if (rows.target.size() != count || rows.loss_weight.size() != count ||
      (!rows.temperature.empty() && rows.temperature.size() != count))
    throw Error("there are " + std::to_string(count) + " rows, but " +
                    std::to_string(rows.target.size()) + " targets, " +
                    std::to_string(rows.loss_weight.size()) + " loss weights and " +
                    std::to_string(rows.temperature.size()) + " temperatures",
                where, "Give one of each for every row; temperatures may be left out");
  for (std::size_t r = 0; r < count; ++r) {
    if (!kernels::is_trained(rows.loss_weight[r])) continue;
    const auto row = [&] { return where + ", row " + std::to_string(r); };
    if (!std::isfinite(rows.loss_weight[r])) throw Error("a loss weight is not finite", row());
    if (rows.target[r] < 0 || static_cast<std::size_t>(rows.target[r]) >= vocab)
      throw Error("target " + std::to_string(rows.target[r]) + " is not in the vocabulary of " +
                      std::to_string(vocab),
                  row());
    if (!(rows.temperature_of(r) > 0.0F) || !std::isfinite(rows.temperature_of(r)))
      throw Error("a temperature is not a number > 0", row());
  }
}

DUALAGENT_INLINE void check(const TokenOutputs& outputs, std::size_t count,
                            const std::string& where) {
  if (outputs.log_prob.size() != count || outputs.entropy.size() != count ||
      outputs.loss.size() != count || outputs.d_log_prob.size() != count)
    throw Error("there are " + std::to_string(count) + " rows, but outputs for " +
                    std::to_string(outputs.log_prob.size()),
                where, "Call outputs.resize(rows) first");
}

}  // namespace dualagent::detail
