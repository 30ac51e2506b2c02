#pragma once

#include <string>

#include "dualagent/core/number_text.hpp"
#include "dualagent/train/checkpoint.hpp"
#include "options.hpp"

namespace retool_summary {

/// What the numbers of a run depend on beside what trainer and stream compare by themselves: a
/// resumed run must share it. Not the number of steps, evaluations, threads, files that come out.
inline dualagent::RunFingerprint fingerprint_of(const Options& o) {
  const auto number = [](auto value) { return std::to_string(static_cast<std::size_t>(value)); };
  return {{"model", o.model.string()},
          {"summarizer_model", o.summarizer_model.string()},
          {"seed", std::to_string(o.seed)},
          {"pair", number(o.pair)},
          {"rank", number(o.rank)},
          {"alpha", dualagent::shortest_text(o.alpha)},
          {"train", number(o.trained)},
          {"mean", number(o.mean)},
          {"reward", number(o.reward)},
          {"judge_model", o.judge_model},
          {"judge_weight", dualagent::shortest_text(o.judge_weight)},
          {"system", o.system},
          {"budget", number(o.budget)},
          {"context", o.context ? number(*o.context) : "the model's"},
          {"max_turns", number(o.max_turns)},
          {"max_calls", number(o.max_calls)},
          {"turn_tokens", number(o.turn_tokens)},
          {"summary_tokens", number(o.summary_tokens)},
          {"gradient_parts", number(o.gradient_parts)},
          {"warm_start_steps", number(o.warm_start_steps)},
          {"warm_start_episodes", number(o.warm_start_episodes)},
          {"warm_start_rate", dualagent::shortest_text(o.warm_start_rate)}};
}

}  // namespace retool_summary
