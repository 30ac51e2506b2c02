#include "dualagent/reward/reward.hpp"

#include <limits>
#include <optional>
#include <string>

#include "support/catch.hpp"

using namespace dualagent;

namespace {

const Task kTask{.id = "sum-3", .prompt = "1+2", .answer = "3"};

Rollout answering(std::optional<std::string> answer) {
  Rollout rollout;
  rollout.member = 4;
  rollout.answer = std::move(answer);
  return rollout;
}

struct Gives {
  std::optional<double> value;
  std::optional<double> score(const Task&, const Rollout&) const { return value; }
};
struct Plain {
  double score(const Task&, const Rollout&) const { return 1.0; }
};
static_assert(Reward<Gives>);
static_assert(Reward<ExactMatch>);
static_assert(!Reward<Plain>);  // it could not abstain

}  // namespace

TEST_CASE("exact match rewards the answer to the letter", "[reward]") {
  const ExactMatch reward;
  CHECK(reward.score(kTask, answering("3")) == 1.0);
  CHECK(reward.score(kTask, answering("3 ")) == 0.0);
  CHECK(reward.score(kTask, answering("03")) == 0.0);
  CHECK(reward.score(kTask, answering(std::nullopt)) == 0.0);
  const ExactMatch shaped{.success = 2.5, .failure = -0.5};
  CHECK(shaped.score(kTask, answering("3")) == 2.5);
  CHECK(shaped.score(kTask, answering("4")) == -0.5);
  // An empty answer is not the same as none.
  const Task silent{.id = "s", .answer = ""};
  CHECK(reward.score(silent, answering("")) == 1.0);
  CHECK(reward.score(silent, answering(std::nullopt)) == 0.0);
}

TEST_CASE("scoring writes one reward, of finished and truncated rollouts alike", "[reward]") {
  for (const RolloutStatus status : {RolloutStatus::finished, RolloutStatus::truncated}) {
    Rollout rollout = answering("3");
    rollout.status = status;
    score_rollout(Gives{-1.25}, kTask, rollout);
    CHECK(rollout.reward == -1.25);
    CHECK(rollout.status == status);
  }
}

TEST_CASE("a rollout whose reward abstains is aborted; an aborted one is not scored", "[reward]") {
  Rollout abstained = answering("3");
  abstained.ending = "answered";
  score_rollout(Gives{std::nullopt}, kTask, abstained);
  CHECK(abstained.status == RolloutStatus::aborted);
  CHECK(abstained.ending == "aborted: the reward abstained");
  CHECK(abstained.reward == 0.0);

  Rollout aborted = answering("3");
  aborted.status = RolloutStatus::aborted;
  aborted.ending = "aborted: the server is gone";
  score_rollout(Gives{7.0}, kTask, aborted);
  CHECK(aborted.reward == 0.0);
  CHECK(aborted.ending == "aborted: the server is gone");
}

TEST_CASE("a reward that is not finite is refused with task and rollout", "[reward]") {
  for (const double value :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(),
        -std::numeric_limits<double>::infinity()}) {
    Rollout rollout = answering("3");
    CHECK_THROWS_WITH(score_rollout(Gives{value}, kTask, rollout),
                      ContainsSubstring("task 'sum-3', rollout 4"));
  }
}
