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
    for (const Rollout& rollout : evaluate(scheduler, held_out(9), ExactMatch{}, {{0.0F}, {0.0F}},
                                           RandomStream::from_seed(seed))
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
