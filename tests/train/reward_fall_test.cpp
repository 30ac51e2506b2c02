#include "dualagent/train/reward_fall.hpp"

#include <cstddef>
#include <string>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;

namespace {

/// `count` rollouts of which this share has `high` as its reward, the others `low`.
std::vector<Rollout> step(double share, std::size_t count = 128, double low = 0, double high = 1) {
  std::vector<Rollout> rollouts(count);
  for (std::size_t i = 0; i < count; ++i)
    rollouts[i].reward = static_cast<double>(i) < share * static_cast<double>(count) ? high : low;
  return rollouts;
}

/// What is said after each of the steps.
std::vector<std::string> said(const std::vector<std::vector<Rollout>>& steps) {
  RewardFall fall;
  std::vector<std::string> said;
  for (std::size_t i = 0; i < steps.size(); ++i) said.push_back(fall.look(i, steps[i]));
  return said;
}

/// Of the last step.
std::string said_of(const std::vector<double>& shares, std::size_t count = 128, double low = 0,
                    double high = 1) {
  std::vector<std::vector<Rollout>> steps;
  for (const double share : shares) steps.push_back(step(share, count, low, high));
  return said(steps).back();
}

}  // namespace

TEST_CASE("a policy that unlearns what it could is noticed", "[train]") {
  // The quickstart's baseline without a context limit, seed 0, at the pair's own learning rate:
  // 87 % to 99 %, and then 28 %.
  const std::vector<double> shares{0.87, 0.97, 0.91, 0.98, 0.95, 0.95, 0.88, 0.99, 0.88, 0.97,
                                   0.86, 0.99, 0.96, 0.73, 0.29, 0.28, 0.15, 0.16, 0.09, 0.20};
  std::vector<std::vector<Rollout>> steps;
  for (const double share : shares) steps.push_back(step(share));
  const std::vector<std::string> after = said(steps);
  for (std::size_t i = 0; i < 16; ++i) CHECK(after[i].empty());
  CHECK_THAT(after.back(), ContainsSubstring("the mean reward has fallen from 0.9") &&
                               ContainsSubstring(" to 0.18 in steps 15 to 19") &&
                               ContainsSubstring("with a third of it"));
}

TEST_CASE("rewards that rise, stay or waver have not fallen", "[train]") {
  CHECK(said_of({0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1, 1, 1}).empty());
  CHECK(said_of(std::vector<double>(30, 1.0)).empty());
  CHECK(said_of({1, 1, 1, 1, 1, 0.9, 0.9, 0.9, 0.9, 0.9}).empty());  // 0.1 < sqrt(0.1 * 0.9)
  CHECK(said_of(std::vector<double>(20, 1.0), 7, 0, 0.1 + 0.2).empty());
}

TEST_CASE("the measure of a fall is the spread of single rewards, in any unit", "[train]") {
  const std::vector<double> shares{1, 1, 1, 1, 1, 0.4, 0.4, 0.4, 0.4, 0.4};  // 0.6 > sqrt(0.24)
  CHECK_FALSE(said_of(shares).empty());
  CHECK_FALSE(said_of(shares, 128, -1000, 1000).empty());
  CHECK(said_of({1, 1, 1, 1, 1, 0.6, 0.6, 0.6, 0.6, 0.6}).empty());  // 0.4 < sqrt(0.24)
  CHECK_FALSE(said_of({1, 1, 1, 1, 1, 0, 0, 0, 0, 0}).empty());      // no spread at all
  // 0.8 is more than sqrt(0.2 * 0.8), and with five rollouts in a window less than 4 errors.
  const std::vector<double> few{1, 1, 1, 1, 1, 0, 0, 1, 0, 0};
  CHECK(said_of(few, 1).empty());
  CHECK_FALSE(said_of(few, 64).empty());
  CHECK(said_of({1, 1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.5}, 2).empty());  // too few: 4 errors
  CHECK(said_of({1, 1, 1, 1, 0.2, 0.2, 0.2, 0.2, 0.2}).empty());        // windows would overlap
}

TEST_CASE("aborted rollouts have no reward that could fall", "[train]") {
  std::vector<std::vector<Rollout>> steps(5, step(1));
  std::vector<Rollout> broken = step(0);
  for (Rollout& rollout : broken) rollout.status = RolloutStatus::aborted;
  steps.insert(steps.end(), 10, broken);
  for (const std::string& text : said(steps)) CHECK(text.empty());
}
