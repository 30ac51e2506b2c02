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
  const auto check_zero = [](const auto& estimator) {
    const std::vector<double> rewards{0.1, 0.1, 0.1, 7.0};
    const std::vector<std::size_t> begin{0, 3, 3, 4};
    std::vector<double> advantages(4, 99.0);
    estimator.estimate(rewards, begin, advantages);
    for (const double advantage : advantages) CHECK(advantage == 0.0);
  };
  check_zero(GroupNormalized{.epsilon = 0.0});
  check_zero(GroupCentered{});
  check_zero(LeaveOneOut{});
  check_zero(Whitened<GroupCentered>{});  // the trainer whitens later
}

TEST_CASE("rewards that differ by rounding alone are equal", "[objective]") {
  const auto found = [](const auto& estimator, std::vector<double> rewards) {
    const std::vector<std::size_t> begin{0, rewards.size()};
    std::vector<double> advantages(rewards.size(), 99.0);
    estimator.estimate(rewards, begin, advantages);
    return advantages;
  };
  const auto check = [&](const auto& estimator) {
    const std::vector<double> none{0, 0};
    CHECK(found(estimator, {0.3, 0.1 + 0.2}) == none);
    CHECK(found(estimator, {0.0, 0.1 + 0.2 - 0.3}) == none);
    CHECK(found(estimator, {-1e6, -1e6 - 1e-9}) == none);
    CHECK(found(estimator, {0.3, 0.3 + 1e-6})[1] > 0);  // a difference that somebody meant
    CHECK(found(estimator, {1e6, 1e6 + 0.01})[1] > 0);
    CHECK(found(estimator, {1e-6, 2e-6})[1] > 0);
    CHECK(found(estimator, {1e100, 2e100})[1] > 0);
  };
  check(GroupNormalized{.epsilon = 1e-12});
  check(GroupCentered{});
  check(LeaveOneOut{});
}

TEST_CASE("the shipped advantage estimators obey the laws", "[objective][laws]") {
  laws::check_advantage_laws(GroupNormalized{});
  laws::check_advantage_laws(GroupCentered{});
  laws::check_advantage_laws(LeaveOneOut{});
  laws::check_advantage_laws(RawReward{});
  laws::check_advantage_laws(Whitened<GroupCentered>{});
  laws::check_advantage_laws(Gae{});
  laws::check_advantage_laws(SegmentGae{});
  laws::check_advantage_laws(CrossSegmentGae{});
  laws::check_advantage_laws(KlInReward<GroupCentered>{});
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

namespace {

/// Four trained tokens in segments of three and one, reward 2 throughout.
struct FourTokens {
  std::vector<double> reward = std::vector<double>(4, 2.0);
  std::vector<double> value{1.0, 0.5, 3.0, 4.0};
  std::vector<double> log_ratio{0.1, -0.2, 0.4, 0.8};
  std::vector<std::size_t> segment_begin{0, 3, 4};
  std::vector<double> advantage = std::vector<double>(4), target = std::vector<double>(4);

  template <class Estimator>
  explicit FourTokens(const Estimator& estimator) {
    estimator.credit_tokens({reward, value, log_ratio, segment_begin}, {advantage, target});
  }
};

void check_equal(const std::vector<double>& found, const std::vector<double>& expected) {
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) CHECK(found[i] == Approx(expected[i]));
}

}  // namespace

TEST_CASE("GAE follows the segments of a rollout as one episode", "[objective]") {
  // gamma 1/2, lambda 1/2. delta = 2 - 4, 1/2 * 4 - 3, 1/2 * 3 - 1/2, 1/2 * 1/2 - 1.
  const FourTokens credited(Gae{.gamma = 0.5, .lambda = 0.5});
  check_equal(credited.advantage, {-0.59375, 0.625, -1.5, -2.0});
  check_equal(credited.target, {0.40625, 1.125, 1.5, 2.0});
  // lambda 1, gamma 1: reward - value, whatever lies between.
  check_equal(FourTokens(Gae{}).advantage, {1.0, 1.5, -1.0, -2.0});
}

TEST_CASE("GAE by segment gives each segment the reward at its end", "[objective]") {
  const FourTokens credited(SegmentGae{.gamma = 0.5, .lambda = 0.5});
  // delta = 2 - 3, 1, -3/4 in the first segment; 2 - 4 in the second.
  check_equal(credited.advantage, {-0.5625, 0.75, -1.0, -2.0});
  check_equal(credited.target, {0.4375, 1.25, 2.0, 2.0});
}

TEST_CASE("GAE across segments fades with the tokens that come later", "[objective]") {
  // First segment: lambda = 1 - 1 / (2 * 3) = 5/6, one token later: all times 5/6.
  // delta = 2 - 3, 3 - 1/2, 1/2 - 1. Second: lambda = 1/2, nothing later.
  const FourTokens credited(CrossSegmentGae{.gamma = 1.0, .length_scale = 2.0});
  const double last = -1.0, middle = 2.5 + 5.0 / 6 * last, first = -0.5 + 5.0 / 6 * middle;
  check_equal(credited.advantage, {5.0 / 6 * first, 5.0 / 6 * middle, 5.0 / 6 * last, -2.0});
  check_equal(credited.target, {first + 1.0, middle + 0.5, last + 3.0, 2.0});
}

TEST_CASE("a penalty in the reward is paid by the tokens before it", "[objective]") {
  const FourTokens credited(KlInReward<RawReward>{.coefficient = 0.5});
  check_equal(credited.advantage, {2 - 0.5 * 1.1, 2 - 0.5 * 1.0, 2 - 0.5 * 1.2, 2 - 0.5 * 0.8});
}
