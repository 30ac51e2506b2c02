#include "dualagent/reward/per_call_bonus.hpp"

#include <cstddef>
#include <optional>

#include "support/answering.hpp"
#include "support/catch.hpp"

using namespace dualagent;

namespace {

const Task kTask{.id = "sum-3", .prompt = "1+2", .answer = "3"};

struct Abstains {
  std::optional<double> score(const Task&, const Rollout&) const { return std::nullopt; }
};

}  // namespace

TEST_CASE("calls earn a bonus up to the cap", "[reward]") {
  const PerCallBonus<ExactMatch> reward{
      .base = {.failure = -1.0}, .bonus_per_call = 0.25, .max_bonus = 0.5};
  CHECK(reward.score(kTask, answering("3", 0)) == 1.0);
  CHECK(reward.score(kTask, answering("3", 1)) == 1.25);
  CHECK(reward.score(kTask, answering("3", 9)) == 1.5);
  CHECK(reward.score(kTask, answering("4", 1)) == -0.75);
  CHECK(reward.score(kTask, answering("4", 9)) == -0.5);
}

TEST_CASE("no number of calls or summaries lifts a wrong answer above zero", "[reward]") {
  const PerCallBonus<ExactMatch> generous{
      .base = {.failure = -0.5}, .bonus_per_call = 1.0, .max_bonus = 100.0};
  CHECK(generous.score(kTask, answering("4", 1000)) == 0.0);
  CHECK(PerCallBonus<ExactMatch>{}.score(kTask, answering("4", 1000)) == 0.0);
  CHECK(generous.score(kTask, answering("4", 0, 15)) == -0.5);  // 15 summaries earn nothing
}

TEST_CASE("a bonus abstains where its base does", "[reward]") {
  CHECK(PerCallBonus<Abstains>{}.score(kTask, answering("3", 4)) == std::nullopt);
}
