#include "dualagent/reward/reward.hpp"

#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dualagent/reward/compression_bonus.hpp"
#include "dualagent/reward/judged_work.hpp"
#include "dualagent/reward/overlong_penalty.hpp"
#include "support/answering.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/summarized_rollouts.hpp"

using namespace dualagent;

namespace {

const Task kTask{.id = "sum-3", .prompt = "1+2", .answer = "3"};

struct Gives {
  std::optional<double> value;
  std::optional<double> score(const Task&, const Rollout&) const { return value; }
};
struct Plain {
  double score(const Task&, const Rollout&) const { return 1.0; }
};
/// Scores rollouts one by one with their members; together with what `score` gives plus 100.
struct Together {
  mutable std::size_t batches = 0;
  std::optional<double> score(const Task&, const Rollout& rollout) const {
    return static_cast<double>(rollout.member);
  }
  void score_all(std::span<const ScoreRequest> requests,
                 std::span<std::optional<double>> scores) const {
    ++batches;
    for (std::size_t i = 0; i < requests.size(); ++i)
      scores[i] = *score(*requests[i].task, *requests[i].rollout) + 100.0;
  }
};
struct Refuses {
  std::optional<double> score(const Task&, const Rollout&) const {
    throw Error("this reward is broken");
  }
};

template <class R>
void score_one(const R& reward, Rollout& rollout) {
  score_rollouts(reward, std::span(&rollout, 1),
                 [](const Rollout&) -> const Task& { return kTask; });
}

/// Plays task 1 to 6, two turns to a summary, and then again from its first and second summary on:
/// the pair is scripted, so a fork says what its source said.
template <class Pairing, class Check>
void with_forks(Pairing pairing, const Check& check) {
  RolloutScheduler scheduler{
      pairing, Protocol{toy::Dialect{}, toy::Tools{toy::Successor<>{}}, TurnCount{.turns = 2}}};
  const Task task{.id = "count", .prompt = "1", .answer = "6"};
  const auto play = [&](const RolloutStart& start) {
    return scheduler.run(std::span(&start, 1), {}, RandomStream::from_seed(1)).at(0);
  };
  const Rollout lived = play({&task, 0, 0});
  REQUIRE(lived.answer == "6");
  REQUIRE(lived.summary_requests.size() == 2);
  for (const std::size_t summary : {0U, 1U})
    check(lived, play({&task, 0, 1, &lived, summary}), task);
}

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
    score_one(Gives{-1.25}, rollout);
    CHECK(rollout.reward == -1.25);
    CHECK(rollout.status == status);
  }
}

TEST_CASE("a rollout whose reward abstains is aborted; an aborted one is not scored", "[reward]") {
  Rollout abstained = answering("3");
  abstained.ending = "answered";
  score_one(Gives{std::nullopt}, abstained);
  CHECK(abstained.status == RolloutStatus::aborted);
  CHECK(abstained.ending == "aborted: the reward abstained");
  CHECK(abstained.reward == 0.0);

  Rollout aborted = answering("3");
  aborted.status = RolloutStatus::aborted;
  aborted.ending = "aborted: the server is gone";
  score_one(Gives{7.0}, aborted);
  CHECK(aborted.reward == 0.0);
  CHECK(aborted.ending == "aborted: the server is gone");
}

TEST_CASE("a reward that is not finite is refused with task and rollout", "[reward]") {
  for (const double value :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(),
        -std::numeric_limits<double>::infinity()}) {
    Rollout rollout = answering("3");
    rollout.member = 4;
    CHECK_THROWS_WITH(score_one(Gives{value}, rollout),
                      ContainsSubstring("task 'sum-3', rollout 4"));
  }
}

TEST_CASE("a reward that can look at all rollouts at once gets those that are not aborted",
          "[reward]") {
  const std::vector<Task> tasks{{.id = "a"}, {.id = "b"}, {.id = "c"}};
  std::vector<Rollout> rollouts(3);
  for (std::size_t i = 0; i < 3; ++i) {
    rollouts[i].group = i;
    rollouts[i].member = 7 + i;
  }
  rollouts[1].status = RolloutStatus::aborted;
  const Together together;
  score_rollouts(together, std::span(rollouts),
                 [&](const Rollout& rollout) -> const Task& { return tasks[rollout.group]; });
  CHECK(together.batches == 1);
  CHECK(rollouts[0].reward == 107.0);
  CHECK(rollouts[1].reward == 0.0);
  CHECK(rollouts[2].reward == 109.0);
}

TEST_CASE("each rollout is scored with its own task", "[reward]") {
  const std::vector<Task> tasks{{.id = "a", .answer = "1"}, {.id = "b", .answer = "2"}};
  std::vector<Rollout> rollouts{answering("2"), answering("2"), answering("1")};
  rollouts[1].group = 1;
  score_rollouts(ExactMatch{}, std::span(rollouts),
                 [&](const Rollout& rollout) -> const Task& { return tasks[rollout.group]; });
  CHECK(rollouts[0].reward == 0.0);
  CHECK(rollouts[1].reward == 1.0);
  CHECK(rollouts[2].reward == 1.0);
}

TEST_CASE("a fork earns what the same episode earns when it is lived from its beginning",
          "[reward]") {
  const auto check = [](const Rollout& lived, const Rollout& fork, const Task& task) {
    REQUIRE(fork.fork);
    REQUIRE(count_sampled(fork) < count_sampled(lived));
    CHECK(count_generated(fork) == count_sampled(lived));
    const auto same = [&](const auto& reward) {
      CHECK(reward.score(task, fork) == reward.score(task, lived));
      return *reward.score(task, lived);
    };
    // Five calls, an answer and two summaries of three tokens each: 24.
    CHECK(same(OverlongPenalty{.max_tokens = 25, .margin = 5}) == Approx(-0.8));
    CHECK(same(OverlongPenalty{.max_tokens = 40, .margin = 10}) == 0.0);
    // 10 tokens to 3, then 13 to 3: the second ratio is above 4.
    CHECK(same(CompressionBonus{.max_ratio = 4.0}) == Approx((0.1 + 0.05) / 2));
    const JudgedSummaries work{summarized::letter};
    const std::vector<JudgedItem> once = work.items(task, lived), again = work.items(task, fork);
    REQUIRE(once.size() == 2);
    REQUIRE(again.size() == 2);
    for (std::size_t i = 0; i < 2; ++i) {
      CHECK(once[i].material == again[i].material);
      CHECK(once[i].work == again[i].work);
    }
  };
  ScriptedModel one = summarized::counting_model(), other = summarized::counting_model();
  with_forks(SharedWeights{one}, check);
  with_forks(SeparateWeights{one, other}, check);
}

TEST_CASE("what a reward throws reaches the caller", "[reward]") {
  Rollout rollout = answering("3");
  CHECK_THROWS_WITH(score_one(Refuses{}, rollout), ContainsSubstring("this reward is broken"));
}

TEST_CASE("a bonus is added in full to a right answer and never lifts a wrong one above zero",
          "[reward]") {
  CHECK(add_bonus(1.0, 0.75) == 1.75);
  CHECK(add_bonus(-1.0, 0.25) == -0.75);
  CHECK(add_bonus(-1.0, 1.25) == 0.0);
  CHECK(add_bonus(0.0, 0.25) == 0.0);
  CHECK(add_bonus(0.0, -0.25) == -0.25);
}

namespace {
/// Reads the answer as a number, as many a user's reward does.
struct Parses {
  std::optional<double> score(const Task&, const Rollout& rollout) const {
    return std::stod(*rollout.answer);
  }
};
struct Throws {
  std::optional<double> score(const Task&, const Rollout&) const { throw 7; }
  void score_all(std::span<const ScoreRequest>, std::span<std::optional<double>>) const {
    throw "no server";
  }
};
}  // namespace

TEST_CASE("whatever a reward throws names the reward, the task and the rollout", "[reward]") {
  Rollout rollout = answering("no number");
  rollout.member = 4;
  CHECK_THAT(
      error_of([&] { score_one(Parses{}, rollout); }),
      ContainsSubstring("a reward threw std::invalid_argument: stod (task 'sum-3', rollout 4)"));
  CHECK_THAT(error_of([&] { score_one(Throws{}, rollout); }),
             ContainsSubstring("score_all threw an exception of type char const*") &&
                 ContainsSubstring("1 rollouts"));
}

TEST_CASE("scores that are not finite are refused before anything is played", "[reward]") {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  const auto refusal = [](const auto& reward) { return error_of([&] { validate_all(reward); }); };
  CHECK_THAT(refusal(ExactMatch{.success = kNan}),
             ContainsSubstring("success is nan (ExactMatch)"));
  CHECK_THAT(refusal(ExactMatch{.failure = -std::numeric_limits<double>::infinity()}),
             ContainsSubstring("failure is -inf (ExactMatch)"));
  CHECK(refusal(ExactMatch{.failure = -1.0}) == "no error");
}
