#include "dualagent/reward/reward_sum.hpp"

#include <cmath>
#include <optional>
#include <span>
#include <vector>

#include "dualagent/reward/overlong_penalty.hpp"
#include "dualagent/reward/per_call_bonus.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"

using namespace dualagent;

namespace {

struct Gives {
  std::optional<double> value;
  std::optional<double> score(const Task&, const Rollout&) const { return value; }
};

/// Abstains on member 1, else scores the member; counts how often it is asked, and about how many.
struct Judge {
  std::vector<std::size_t>* batches = nullptr;
  std::optional<double> score(const Task&, const Rollout& rollout) const {
    if (rollout.member == 1) return std::nullopt;
    return static_cast<double>(rollout.member);
  }
  void score_all(std::span<const ScoreRequest> requests,
                 std::span<std::optional<double>> scores) const {
    batches->push_back(requests.size());
    for (std::size_t i = 0; i < requests.size(); ++i)
      scores[i] = score(*requests[i].task, *requests[i].rollout);
  }
};

}  // namespace

TEST_CASE("a sum of rewards weighs its parts and abstains with any of them", "[reward]") {
  CHECK(*RewardSum{Weighted{1.0, Gives{1.0}}, Weighted{0.2, Gives{-0.5}}}.score({}, {}) ==
        Approx(0.9));
  CHECK(
      *RewardSum{Weighted{0.5, Gives{1.0}}, Weighted{2.0, Gives{3.0}}, Weighted{-1.0, Gives{0.25}}}
           .score({}, {}) == Approx(6.25));
  CHECK(!RewardSum{Weighted{1.0, Gives{1.0}}, Weighted{0.2, Gives{}}}.score({}, {}));
  CHECK(!RewardSum{Weighted{1.0, Gives{}}, Weighted{0.2, Gives{1.0}}}.score({}, {}));
  CHECK(!RewardSum{Weighted{1.0, Gives{1.0}}, Weighted{0.0, Gives{}}, Weighted{1.0, Gives{1.0}}}
             .score({}, {}));
}

TEST_CASE("a slow reward inside sums and bonuses is asked about all rollouts at once", "[reward]") {
  std::vector<std::size_t> batches;
  const Task task{.id = "t", .answer = "3"};
  std::vector<Rollout> rollouts(4);
  std::vector<ScoreRequest> requests;
  for (std::size_t i = 0; i < rollouts.size(); ++i) {
    rollouts[i].member = i;
    rollouts[i].calls = 1;
    if (i != 3) rollouts[i].answer = "3";
    requests.push_back({&task, &rollouts[i]});
  }
  const RewardSum sum{
      Weighted{1.0, ExactMatch{}},
      Weighted{0.5,
               PerCallBonus<Judge>{.base = {&batches}, .bonus_per_call = 2.0, .max_bonus = 2.0}}};
  static_assert(Reward<decltype(sum)>);
  std::vector<std::optional<double>> scores(4);
  score_all(sum, std::span<const ScoreRequest>(requests), std::span(scores));
  CHECK(batches == std::vector<std::size_t>{4});
  CHECK(scores[0] == 1.0);  // the judge says 0, which earns no bonus
  CHECK(scores[1] == std::nullopt);
  CHECK(scores[2] == 3.0);             // 1 + 0.5 * (2 + 2)
  CHECK(scores[3] == 2.5);             // 0 + 0.5 * (3 + 2)
  for (std::size_t i = 0; i < 4; ++i)  // one by one as all at once
    CHECK(sum.score(task, rollouts[i]) == scores[i]);
}

TEST_CASE("a sum validates its weights and its parts", "[reward]") {
  const auto refusal = [](const auto& reward) { return error_of([&] { validate_all(reward); }); };
  CHECK_THAT(refusal(RewardSum{Weighted{std::nan(""), Gives{1.0}}}),
             ContainsSubstring("a weight is nan (RewardSum)"));
  CHECK_THAT(refusal(RewardSum{Weighted{1.0, Gives{1.0}},
                               Weighted{1.0, PerCallBonus<OverlongPenalty>{{.margin = 0}}}}),
             ContainsSubstring("margin is 0 (OverlongPenalty)"));
  CHECK_THAT(refusal(PerCallBonus<Gives>{.base = {}, .max_bonus = -1}),
             ContainsSubstring("max_bonus"));
  CHECK(refusal(RewardSum{Weighted{-1.0, Gives{1.0}}}) == "no error");
}
