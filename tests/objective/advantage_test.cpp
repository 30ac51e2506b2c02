#include "dualagent/objective/advantage.hpp"

#include <cmath>
#include <vector>

#include "laws/objective_laws.hpp"
#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("group-normalized advantages are those of hand arithmetic", "[objective]") {
  // Group 1: mean 1/2, unbiased variance 1/3. Group 2: mean 2, variance 7.
  const std::vector<double> rewards{1, 0, 0, 1, 1, 0, 5};
  const std::vector<std::size_t> begin{0, 4, 7};
  std::vector<double> advantages(7);
  GroupNormalized{.epsilon = 0.0}.estimate(rewards, begin, advantages);
  CHECK(advantages[0] == Approx(0.5 * std::sqrt(3.0)));
  CHECK(advantages[1] == Approx(-0.5 * std::sqrt(3.0)));
  CHECK(advantages[4] == Approx(-1 / std::sqrt(7.0)));
  CHECK(advantages[6] == Approx(3 / std::sqrt(7.0)));
  GroupNormalized{.epsilon = 0.5}.estimate(rewards, begin, advantages);
  CHECK(advantages[0] == Approx(0.5 / (1 / std::sqrt(3.0) + 0.5)));
}

TEST_CASE("equal rewards, a group of one and an empty group give exactly 0", "[objective]") {
  const std::vector<double> rewards{0.1, 0.1, 0.1, 7.0};
  const std::vector<std::size_t> begin{0, 3, 3, 4};
  std::vector<double> advantages(4, 99.0);
  GroupNormalized{.epsilon = 0.0}.estimate(rewards, begin, advantages);
  for (const double advantage : advantages) CHECK(advantage == 0.0);
}

TEST_CASE("the shipped advantage estimators obey the laws", "[objective][laws]") {
  laws::check_advantage_laws(GroupNormalized{});
  laws::check_advantage_laws(GroupCentered{});
  laws::check_advantage_laws(LeaveOneOut{});
  laws::check_advantage_laws(RawReward{});
  laws::check_advantage_laws(Whitened<GroupCentered>{});
}

TEST_CASE("estimators without a standard deviation are those of hand arithmetic", "[objective]") {
  const std::vector<double> rewards{1, 0, 0, 1, 1, 0, 5, 3};  // groups of 4, 3 and 1
  const std::vector<std::size_t> begin{0, 4, 7, 8};
  std::vector<double> advantages(8);
  GroupCentered{}.estimate(rewards, begin, advantages);
  CHECK(advantages == std::vector<double>{0.5, -0.5, -0.5, 0.5, -1, -2, 3, 0});
  LeaveOneOut{}.estimate(rewards, begin, advantages);
  CHECK(advantages[0] == Approx(1 - 1.0 / 3));  // the others: 0, 0, 1
  CHECK(advantages[1] == Approx(0 - 2.0 / 3));
  CHECK(advantages[6] == Approx(5 - 0.5));
  CHECK(advantages[7] == 0.0);
  RawReward{}.estimate(rewards, begin, advantages);
  CHECK(advantages == rewards);
}
