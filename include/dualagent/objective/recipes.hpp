#pragma once

#include "dualagent/objective/objective.hpp"

/// Named objectives: types whose defaults are those of their papers; every part can be changed
/// afterwards (`Grpo grpo; grpo.loss.clip_high = 0.3;`). docs/objectives.md has the table.
namespace dualagent {

/// Group-relative policy optimisation: every rollout weighs the same.
/// Source: Shao et al., "DeepSeekMath", 2024, eq. 3; its KL term is KlPenalty<K3>.
struct Grpo : Objective<GroupNormalized, ClipLoss, RolloutMean> {
  constexpr Grpo() { loss = {.clip_low = 0.2, .clip_high = 0.2}; }
};

/// GRPO without the biases of length and difficulty.
/// Source: Liu et al., "Understanding R1-Zero-like training", 2025, section 3.2.
struct DrGrpo : Objective<GroupCentered, ClipLoss, FixedLength> {
  constexpr DrGrpo() : DrGrpo(1024) {}
  constexpr explicit DrGrpo(double max_tokens) {
    loss = {.clip_low = 0.2, .clip_high = 0.2};
    aggregation.max_tokens = max_tokens;
  }
};

/// GRPO with a higher upper clip bound and the token mean over the whole batch.
/// Source: Yu et al., "DAPO", 2025, eq. 8; its overlong penalty is a reward.
struct Dapo : Objective<GroupNormalized, ClipLoss, GlobalTokenMean> {
  constexpr Dapo() { loss = {.clip_low = 0.2, .clip_high = 0.28}; }
};

/// The importance ratio of whole segments.
/// Source: Zheng et al., "Group sequence policy optimization", 2025, eq. 5.
using Gspo = Objective<GroupNormalized, GspoLoss, SegmentMean>;

/// Clipped importance weights that never lose a token's gradient.
/// Source: MiniMax, "MiniMax-M1", 2025, eq. 4.
using Cispo = Objective<GroupNormalized, CispoLoss, GlobalTokenMean>;

/// REINFORCE with the mean of the other rollouts as baseline; the loss of a rollout is the sum over
/// its tokens.
/// Source: Ahmadian et al., "Back to basics", 2024, section 2.2.
struct Rloo : Objective<LeaveOneOut, PolicyGradient, FixedLength> {
  constexpr Rloo() { aggregation.max_tokens = 1; }
};

/// Rewards minus the divergence from the reference policy to come, whitened over the global batch;
/// no critic and no group.
/// Source: Hu et al., "REINFORCE++", 2025, eq. 8 and 9.
struct ReinforcePlusPlus : Objective<Whitened<KlInReward<RawReward>>, ClipLoss, GlobalTokenMean> {
  constexpr ReinforcePlusPlus() { loss = {.clip_low = 0.2, .clip_high = 0.2}; }
};
/// The group's mean is taken off the rewards before whitening (eq. 12); its penalty is
/// KlPenalty<K2>.
struct ReinforcePlusPlusBaseline : Objective<Whitened<GroupCentered>, ClipLoss, GlobalTokenMean> {
  constexpr ReinforcePlusPlusBaseline() { loss = {.clip_low = 0.2, .clip_high = 0.2}; }
};

/// Proximal policy optimisation with a critic: the model needs a value head
/// (`model.with_value_head()`), which shares the transformer and its learning rate.
/// Source: Schulman et al., "Proximal policy optimization", 2017, eq. 7 and 9, without eq. 9's
/// entropy bonus; whitened advantages and the clipped value loss are its implementation's.
struct Ppo : Objective<Whitened<Gae>, ClipLoss, GlobalTokenMean, NoCorrection, ValueLoss> {
  constexpr Ppo() { loss = {.clip_low = 0.2, .clip_high = 0.2}; }
};

}  // namespace dualagent
