#include "dualagent/reward/reward_sum.hpp"

#include "support/catch.hpp"

using namespace dualagent;

namespace {
struct Gives {
  std::optional<double> value;
  std::optional<double> score(const Task&, const Rollout&) const { return value; }
};
}  // namespace

TEST_CASE("a sum of rewards weighs the second and abstains with either", "[reward]") {
  CHECK(*RewardSum{Gives{1.0}, Gives{-0.5}, 0.2}.score({}, {}) == Approx(0.9));
  CHECK(!RewardSum{Gives{1.0}, Gives{}, 0.2}.score({}, {}));
  CHECK(!RewardSum{Gives{}, Gives{1.0}, 0.2}.score({}, {}));
}
