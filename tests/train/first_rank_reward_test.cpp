#include "dualagent/train/first_rank_reward.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "dualagent/collective/local.hpp"
#include "dualagent/collective/threads.hpp"
#include "support/bigram_model.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"

using namespace dualagent;

namespace {

/// Abstains from a second member.
struct Asked {
  int* times = nullptr;
  bool fails = false;
  std::optional<double> score(const Task& task, const Rollout& rollout) const {
    if (fails) throw Error("the judge is gone", task.id);
    ++*times;
    if (rollout.member == 1) return std::nullopt;
    return 0.1 * static_cast<double>(rollout.member);
  }
};

}  // namespace

TEST_CASE("one rank is asked for a reward, and all have its answer",
          "[train][reward][collective]") {
  const Task task{.id = "t", .prompt = "", .answer = ""};
  std::vector<int> times(2);
  std::vector<std::vector<Rollout>> scored(2, std::vector<Rollout>(3));
  std::vector<std::optional<double>> alone(2);
  std::vector<std::string> errors(2);
  run_ranks(2, [&](ThreadCollective axis) {
    const std::size_t rank = axis.rank();
    const Asked reward{&times[rank]}, gone{&times[rank], true};
    std::vector<Rollout>& rollouts = scored[rank];
    for (std::size_t m = 0; m < 3; ++m) rollouts[m].member = m;
    const auto task_of = [&](const Rollout&) -> const Task& { return task; };
    score_rollouts(FirstRankReward{reward, axis}, rollouts, task_of);
    alone[rank] = FirstRankReward{reward, axis}.score(task, rollouts[2]);
    errors[rank] = error_of([&] {
      score_rollouts(FirstRankReward{gone, axis}, rollouts, task_of);
    });
  });
  CHECK(times == std::vector<int>{4, 0});
  for (std::size_t rank = 0; rank < 2; ++rank) {
    CHECK(scored[rank][0].reward == 0.0);
    CHECK(scored[rank][1].status == RolloutStatus::aborted);
    CHECK(scored[rank][2].reward == 0.2);
    CHECK(alone[rank] == 0.2);
    CHECK_THAT(errors[rank], ContainsSubstring("the judge is gone"));
  }
}

TEST_CASE("a pair of models that are whole on every rank asks its reward itself",
          "[train][reward]") {
  int times = 0;
  const Asked reward{&times};
  LocalCollective alone;
  static_assert(std::is_same_v<decltype(asked_reward<SharedWeights<BigramModel>>(reward, alone)),
                               const Asked&>);
  CHECK(&asked_reward<SharedWeights<BigramModel>>(reward, alone) == &reward);
}
