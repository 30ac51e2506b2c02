#include "dualagent/train/evaluation.hpp"

#include <cmath>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/guessing_pair.hpp"

using namespace dualagent;

namespace {

std::vector<EvaluationTask> held_out(std::size_t count) {
  const std::vector<Task> tasks = guessing::five_tasks(count);
  return {tasks.begin(), tasks.end()};
}

}  // namespace

TEST_CASE("an evaluation plays each task once and trains nothing", "[train]") {
  BigramModel model = guessing::model();
  const std::vector<double> before = guessing::weights(model);
  RolloutScheduler scheduler{SharedWeights{model}, guessing::protocol()};
  const std::vector<EvaluationTask> tasks = held_out(3000);
  const RandomStream random = RandomStream::from_seed(5);
  const Evaluation first = evaluate(scheduler, tasks, ExactMatch{}, {}, random);
  REQUIRE(first.rollouts.size() == 3000);
  CHECK(guessing::weights(model) == before);
  double sum = 0;
  std::size_t aborted = 0;
  for (std::size_t i = 0; i < 3000; ++i) {
    CHECK(first.rollouts[i].task_id == tasks[i].task().id);
    if (first.rollouts[i].status == RolloutStatus::aborted)
      ++aborted;
    else if (first.rollouts[i].answer == "5")
      sum += 1;
  }
  REQUIRE(sum > 0);
  CHECK(first.aborted == aborted);
  CHECK(first.reward_mean == Approx(sum / static_cast<double>(3000 - aborted)));
  CHECK(evaluate(scheduler, tasks, ExactMatch{}, {}, random).reward_mean == first.reward_mean);
}

TEST_CASE("a greedy evaluation does not depend on the random stream", "[train]") {
  BigramModel model = guessing::model();
  RolloutScheduler scheduler{SharedWeights{model}, guessing::protocol()};
  const auto answers = [&](std::uint64_t seed) {
    std::string all;
    for (const Rollout& rollout :
         evaluate(scheduler, held_out(9), ExactMatch{}, kGreedy, RandomStream::from_seed(seed))
             .rollouts)
      all += rollout.ending + rollout.answer.value_or("-") + ";";
    return all;
  };
  CHECK(answers(1) == answers(2));
}

TEST_CASE("an evaluation without tasks, or by a reward that cannot be meant, is refused",
          "[train]") {
  BigramModel model = guessing::model();
  RolloutScheduler scheduler{SharedWeights{model}, guessing::protocol()};
  const auto refusal = [&](std::size_t tasks, const auto& reward, float temperature) {
    return error_of([&] {
      evaluate(scheduler, held_out(tasks), reward, {{temperature}, {1.0F}},
               RandomStream::from_seed(1));
    });
  };
  CHECK_THAT(refusal(0, ExactMatch{}, 1.0F), ContainsSubstring("no tasks to evaluate"));
  CHECK_THAT(refusal(1, ExactMatch{.success = std::nan("")}, 1.0F), ContainsSubstring("success"));
  CHECK_THAT(refusal(1, ExactMatch{}, -1.0F), ContainsSubstring("answerer.temperature is -1"));
  CHECK_THAT(refusal(1, ExactMatch{}, std::nanf("")), ContainsSubstring("temperature is nan"));
  CHECK(refusal(1, ExactMatch{}, 0.0F) == "no error");
}

TEST_CASE("pass@k is the chance that k of n rollouts contain a solved one", "[train]") {
  CHECK(pass_at_k(4, 1, 1) == Approx(1.0 / 4));
  CHECK(pass_at_k(4, 1, 2) == Approx(1 - 3.0 / 6));          // C(3, 2) / C(4, 2)
  CHECK(pass_at_k(5, 2, 3) == Approx(1 - 1.0 / 10));         // C(3, 3) / C(5, 3)
  CHECK(pass_at_k(16, 3, 8) == Approx(1 - 1287.0 / 12870));  // C(13, 8) / C(16, 8)
  CHECK(pass_at_k(4, 0, 4) == 0);
  CHECK(pass_at_k(4, 1, 4) == 1);
  CHECK(pass_at_k(1, 1, 1) == 1);
}

TEST_CASE("pass@k of an evaluation is the mean over tasks with enough rollouts", "[train]") {
  const auto rollout = [](double reward, RolloutStatus status = RolloutStatus::finished) {
    Rollout result;
    result.reward = reward;
    result.status = status;
    return result;
  };
  Evaluation evaluation{.samples = 3};
  for (const double reward : {1.0, 0.0, 0.5, 0.0, 0.0, 0.0})  // 0.5 is not above 0.5
    evaluation.rollouts.push_back(rollout(reward));
  evaluation.rollouts.push_back(rollout(1.0, RolloutStatus::aborted));  // does not count
  evaluation.rollouts.push_back(rollout(0.0));
  evaluation.rollouts.push_back(rollout(0.9));
  CHECK(evaluation.pass_at(1).value() == Approx((1.0 / 3 + 0 + 1.0 / 2) / 3));
  CHECK(evaluation.pass_at(2).value() == Approx((2.0 / 3 + 0 + 1.0) / 3));
  CHECK(evaluation.pass_at(3).value() == Approx((1.0 + 0) / 2));  // the third task has two
  CHECK(evaluation.pass_at(1, 0.4).value() == Approx((2.0 / 3 + 0 + 1.0 / 2) / 3));
  for (const std::size_t k : {0U, 4U})
    CHECK_THAT(error_of([&] { (void)evaluation.pass_at(k); }),
               ContainsSubstring("k is " + std::to_string(k)) && ContainsSubstring("samples"));
  CHECK_THAT(error_of([&] { (void)evaluation.pass_at(1, std::nan("")); }),
             ContainsSubstring("success_above is nan"));
  for (Rollout& all : evaluation.rollouts) all.status = RolloutStatus::aborted;
  CHECK(!evaluation.pass_at(1));
}

TEST_CASE("several samples of a task stand side by side, the first as if it were alone",
          "[train]") {
  BigramModel model = guessing::model();
  RolloutScheduler scheduler{SharedWeights{model}, guessing::protocol()};
  const std::vector<EvaluationTask> tasks = held_out(40);
  const RandomStream random = RandomStream::from_seed(5);
  const Evaluation alone = evaluate(scheduler, tasks, ExactMatch{}, {}, random);
  const Evaluation many = evaluate(scheduler, tasks, ExactMatch{}, {}, random, {.samples = 4});
  REQUIRE(many.rollouts.size() == 160);
  double sum = 0;
  std::size_t others = 0;
  for (std::size_t i = 0; i < 160; ++i) {
    CHECK(many.rollouts[i].task_id == tasks[i / 4].task().id);
    CHECK(many.rollouts[i].member == i % 4);
    sum += many.rollouts[i].reward;
    const Rollout& single = alone.rollouts[i / 4];
    if (i % 4 == 0)
      CHECK((many.rollouts[i].answer == single.answer && many.rollouts[i].turns == single.turns));
    else
      others += many.rollouts[i].answer != single.answer ? 1 : 0;
  }
  CHECK(others > 0);
  CHECK(many.reward_mean == Approx(sum / static_cast<double>(160 - many.aborted)));
  CHECK(many.pass_at(1).value() <= many.pass_at(4).value());

  const auto refusal = [&](const RolloutSampling& sampling, const EvaluationOptions& options) {
    return error_of([&] { evaluate(scheduler, tasks, ExactMatch{}, sampling, random, options); });
  };
  CHECK_THAT(refusal(kGreedy, {.samples = 2}), ContainsSubstring("greedy"));
  CHECK(refusal({{0.0F}, {1.0F}}, {.samples = 2}) == "no error");
  CHECK_THAT(refusal({}, {.samples = 0}), ContainsSubstring("samples is 0"));
  CHECK_THAT(refusal({}, {.samples = std::size_t{1} << 40U}),
             ContainsSubstring("samples is 1099511627776 (EvaluationOptions)"));
}
