#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "dualagent/collective/mesh.hpp"
#include "dualagent/collective/on_first_rank.hpp"
#include "dualagent/io/archive.hpp"
#include "dualagent/reward/reward.hpp"
#include "dualagent/rollout/play_together.hpp"

namespace dualagent {

/// A Reward that rank 0 of a model axis is asked for, and that all of its ranks get: a judge is
/// asked once, and its answer is the same everywhere. All ranks ask it about the same rollouts.
/// Errors: what the reward throws on rank 0, and on the others an Error that says so.
template <Reward R, class C>
struct FirstRankReward {
  const R& reward;
  C& axis;

  void validate() const { validate_all(reward); }
  std::optional<double> score(const Task& task, const Rollout& rollout) const {
    const ScoreRequest request{&task, &rollout};
    std::optional<double> score;
    score_all(std::span(&request, 1), std::span(&score, 1));
    return score;
  }
  void score_all(std::span<const ScoreRequest> requests,
                 std::span<std::optional<double>> scores) const {
    const std::vector<std::byte> bytes = on_first_rank(axis, [&] {
      dualagent::score_all(reward, requests, scores);
      ArchiveWriter out;
      for (const std::optional<double>& score : scores) {
        out.number(static_cast<std::uint8_t>(score ? 1 : 0));
        out.number(score.value_or(0.0));
      }
      return std::move(out).take();
    });
    ArchiveReader in(bytes, "the scores of rank 0");
    for (std::optional<double>& score : scores) {
      const bool known = in.number<std::uint8_t>("whether there is a score") != 0;
      const auto value = in.number<double>("a score");
      score = known ? std::optional(value) : std::nullopt;
    }
  }
};
template <class R, class C>
FirstRankReward(const R&, C&) -> FirstRankReward<R, C>;

/// The reward as the ranks of a collective ask it: where the pair's models are on several ranks
/// together, its first one is asked.
template <class Pairing, Reward R, class C>
decltype(auto) asked_reward(const R& reward, [[maybe_unused]] C& collective) {
  if constexpr (!samples_on_model_axis<Pairing>()) {
    return (reward);
  } else {
    static_assert(is_mesh<C>,
                  "dualagent: a pair with a model on several ranks, Frozen or not, plays over "
                  "Mesh{data, model}; with one model group write Mesh{LocalCollective{}, model}; "
                  "see docs/collectives.md#two-axes");
    if constexpr (is_mesh<C>) return FirstRankReward{reward, collective.model_axis()};
  }
}

}  // namespace dualagent
