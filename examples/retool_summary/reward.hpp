#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <utility>

#include "dualagent/reward/compression_bonus.hpp"
#include "dualagent/reward/guarded_bonus.hpp"
#include "dualagent/reward/math_answer.hpp"
#include "dualagent/reward/per_call_bonus.hpp"
#include "dualagent/reward/reference_system.hpp"
#include "dualagent/reward/reward.hpp"
#include "dualagent/text/hugging_face_tokenizer.hpp"
#include "options.hpp"

namespace retool_summary {

/// A Reward that is chosen while the program runs: holds any other one.
class AnyReward {
 public:
  template <class R>
  explicit AnyReward(R reward)
      : score_all_([reward = std::move(reward)](auto requests, auto scores) {
          dualagent::score_all(reward, requests, scores);
        }) {}

  std::optional<double> score(const dualagent::Task& task,
                              const dualagent::Rollout& rollout) const {
    const dualagent::ScoreRequest request{&task, &rollout};
    std::optional<double> score;
    score_all(std::span(&request, 1), std::span(&score, 1));
    return score;
  }
  void score_all(std::span<const dualagent::ScoreRequest> requests,
                 std::span<std::optional<double>> scores) const {
    score_all_(requests, scores);
  }

 private:
  std::function<void(std::span<const dualagent::ScoreRequest>, std::span<std::optional<double>>)>
      score_all_;
};

/// What counts as right, in training and in evaluations: the value in the last box, which has to
/// end within the answer's last 100 bytes.
inline constexpr dualagent::StrictBoxedMath kRight{
    .success = 1.0, .failure = -1.0, .last_bytes = 100};

/// `base` and a judge's grades of the summaries on top, which never lift a wrong answer above 0.
/// Errors: Error that names the flag where the program was built without libcurl, or for an
/// address that cannot be meant.
AnyReward with_judge(AnyReward base, const Options& options,
                     const dualagent::HuggingFaceTokenizer& tokenizer);

/// The reward of training. Errors: as `with_judge`.
inline AnyReward make_reward(const Options& options,
                             const dualagent::HuggingFaceTokenizer& tokenizer) {
  using namespace dualagent;
  const auto base = [&]() -> AnyReward {
    switch (options.reward) {
      case RewardForm::guarded:
        return AnyReward(
            GuardedBonus{PerCallBonus<StrictBoxedMath>{.base = kRight}, CompressionBonus{}});
      case RewardForm::reference:
        return AnyReward(ReferenceSystemReward{kRight});
      case RewardForm::strict:
        break;
    }
    return AnyReward(kRight);
  };
  return options.judge.empty() ? base() : with_judge(base(), options, tokenizer);
}

}  // namespace retool_summary
