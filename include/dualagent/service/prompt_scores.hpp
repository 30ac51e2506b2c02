#pragma once

#include <span>
#include <type_traits>
#include <vector>

#include "dualagent/core/error.hpp"
#include "dualagent/core/types.hpp"
#include "dualagent/cpu/loops.inl"
#include "dualagent/engine/canaries.hpp"
#include "dualagent/model/backend.hpp"

namespace dualagent {

/// Whether a sampler can score prompts: it is also a learner on the host.
template <class M>
inline constexpr bool kScoresPrompts = false;
template <Learner M>
inline constexpr bool kScoresPrompts<M> = std::is_same_v<MachineOf<M>, cpu::Loops>;

/// [prompt - 1] log-probabilities of the prompt's tokens but the first, each given those before it,
/// in nats at temperature 1. Cost: a forward pass of training, in which the sampler does nothing
/// else. Errors: Error for a sampler that cannot score.
template <class M>
std::vector<double> prompt_scores(M& sampler, const std::vector<Token>& prompt) {
  if constexpr (kScoresPrompts<M>) {
    const Canary whole{.tokens = prompt, .prompt = 1};
    return score_canaries(sampler, std::span<const Canary>(&whole, 1), 1.0F)[0];
  } else {
    static_cast<void>(sampler);
    static_cast<void>(prompt);
    throw Error("this model cannot score prompts", "service");
  }
}

}  // namespace dualagent
