#include "dualagent/objective/token_loss.hpp"

#include <algorithm>
#include <cmath>

#include "dualagent/loops/token_loss.inl"
#include "dualagent/objective/regularizer.hpp"
#include "laws/objective_laws.hpp"
#include "support/catch.hpp"

using namespace dualagent;

namespace {

/// Value and derivative in log-probability at the ratio r and advantage A.
template <class Loss>
kernels::TokenGradient<double> at(const Loss& loss, double ratio, double advantage) {
  return differentiate(
      loss, TokenTerms<double>{
                .log_prob = -1.0 + std::log(ratio), .old_log_prob = -1.0, .advantage = advantage});
}

}  // namespace

TEST_CASE("the shipped token losses obey the laws", "[objective][laws]") {
  laws::check_token_loss_laws(ClipLoss{});
  laws::check_token_loss_laws(ClipLoss{.clip_low = 0.0, .clip_high = 1.0});
  laws::check_token_loss_laws(DualClipLoss{.bound = 2.0});
  laws::check_token_loss_laws(TwoSidedClipLoss{.cap = 1.7});
  laws::check_token_loss_laws(PolicyGradient{});
  laws::check_token_loss_laws(CrossEntropy{});
}

TEST_CASE("dual clip bounds the loss of a negative advantage", "[objective]") {
  const DualClipLoss loss{.clip_low = 0.2, .clip_high = 0.2, .bound = 3.0};
  CHECK(at(loss, 2.0, -1.5).value == Approx(3.0));  // r |A|
  CHECK(at(loss, 2.0, -1.5).d_log_prob == Approx(3.0));
  CHECK(at(loss, 4.0, -1.5).value == Approx(4.5));  // 3 |A|
  CHECK(at(loss, 4.0, -1.5).d_log_prob == 0.0);
  CHECK(at(loss, 4.0, 1.5).value == Approx(-1.8));  // the usual clip where A > 0
}

TEST_CASE("the two-sided clip caps the ratio of a negative advantage", "[objective]") {
  const TwoSidedClipLoss loss{.clip_low = 0.2, .clip_high = 0.2, .cap = 4.0};
  CHECK(at(loss, 3.0, -0.5).value == Approx(1.5));
  CHECK(at(loss, 5.0, -0.5).value == Approx(2.0));
  CHECK(at(loss, 5.0, -0.5).d_log_prob == 0.0);
  CHECK(at(loss, 0.1, -0.5).value == Approx(0.4));
}

TEST_CASE("at a kink the derivative is that of the documented side", "[objective]") {
  // Ratios are given exactly, log r = 0 is the only representable one, so the kinks lie at r = 1.
  const ClipLoss clip{.clip_low = 0.0, .clip_high = 0.0};
  CHECK(at(clip, 1.0, 2.0).d_log_prob == -2.0);  // unclipped side
  CHECK(at(clip, 1.0, -2.0).d_log_prob == 2.0);
  const DualClipLoss dual{.clip_low = 0.2, .clip_high = 0.2, .bound = 1.0};
  CHECK(at(dual, 1.0, -2.0).d_log_prob == 2.0);  // that of the loss
  const TwoSidedClipLoss two{.clip_low = 0.2, .clip_high = 0.2, .cap = 1.0};
  CHECK(at(two, 1.0, -2.0).d_log_prob == 2.0);  // that of r
}

namespace {

enum class Side { left, right };

/// Derivative to one side, from three values: error h^2 / 3 times the third derivative.
template <class Loss>
double one_sided(const Loss& loss, TokenTerms<double> terms, double TokenTerms<double>::*term,
                 Side side) {
  const double h = side == Side::right ? 1e-4 : -1e-4;
  double values[3];
  for (double& value : values) {
    value = differentiate(loss, terms).value;
    terms.*term += h;
  }
  return (-3 * values[0] + 4 * values[1] - values[2]) / (2 * h);
}

/// The two sides differ, and the derivative is that of `side`.
template <class Loss>
void check_kink(const char* name, const Loss& loss, const TokenTerms<double>& terms,
                double TokenTerms<double>::*term, Side side) {
  INFO(name);
  const double left = one_sided(loss, terms, term, Side::left);
  const double right = one_sided(loss, terms, term, Side::right);
  CHECK(std::abs(left - right) > 1e-3 * std::max(std::abs(left), std::abs(right)));
  const auto gradient = differentiate(loss, terms);
  const double found = term == &TokenTerms<double>::value ? gradient.d_value : gradient.d_log_prob;
  CHECK(found == Approx(side == Side::left ? left : right).epsilon(1e-6).margin(1e-9));
}

}  // namespace

TEST_CASE("derivatives at kinks are one-sided, of the documented side", "[objective]") {
  constexpr auto log_prob = &TokenTerms<double>::log_prob;
  constexpr auto value = &TokenTerms<double>::value;
  // log r = 0 exactly, and bounds at r = 1.
  const auto at_one = [](double advantage) {
    return TokenTerms<double>{.log_prob = -1.0, .old_log_prob = -1.0, .advantage = advantage};
  };
  check_kink("clip, upper bound", ClipLoss{0.0, 0.0}, at_one(2.0), log_prob, Side::left);
  check_kink("clip, lower bound", ClipLoss{0.0, 0.0}, at_one(-2.0), log_prob, Side::right);
  check_kink("dual clip", DualClipLoss{0.2, 0.2, 1.0}, at_one(-2.0), log_prob, Side::left);
  check_kink("two-sided", TwoSidedClipLoss{0.2, 0.0, 1.0}, at_one(-2.0), log_prob, Side::left);
  // Log-ratios of exactly +-20: the derivative is that of the bounded side.
  const auto at_bound = [](double log_ratio, double advantage) {
    return TokenTerms<double>{.log_prob = -1.0,
                              .old_log_prob = -1.0 - log_ratio,
                              .reference_log_prob = -1.0 - log_ratio,
                              .advantage = advantage};
  };
  check_kink("ratio", ClipLoss{}, at_bound(20.0, -1.0), log_prob, Side::left);
  check_kink("ratio", ClipLoss{}, at_bound(-20.0, 1.0), log_prob, Side::right);
  check_kink("k1", KlPenalty<K1>{1.0}, at_bound(20.0, 0.0), log_prob, Side::left);
  check_kink("k1", KlPenalty<K1>{1.0}, at_bound(-20.0, 0.0), log_prob, Side::right);
  check_kink("k2", KlPenalty<K2>{1.0}, at_bound(20.0, 0.0), log_prob, Side::left);
  check_kink("k2", KlPenalty<K2>{1.0}, at_bound(-20.0, 0.0), log_prob, Side::right);
  check_kink("k3", KlPenalty<K3>{1.0}, at_bound(20.0, 0.0), log_prob, Side::left);
  check_kink("k3", KlPenalty<K3>{1.0}, at_bound(-20.0, 0.0), log_prob, Side::right);
  check_kink("weighted k3", KlPenalty<ImportanceWeightedK3>{1.0}, at_bound(20.0, 0.0), log_prob,
             Side::left);
  // V = V_old +- clip and equal errors: the derivative is that of V.
  const auto critic = [](double now, double target) {
    return TokenTerms<double>{.value = now, .old_value = 1.0, .value_target = target};
  };
  const ValueLoss loss{.coefficient = 1.0, .clip = 0.5};
  check_kink("value above", loss, critic(1.5, 2.0), value, Side::left);
  check_kink("value below", loss, critic(0.5, 0.0), value, Side::right);
  check_kink("equal errors", loss, critic(2.0, 1.75), value, Side::right);
}

TEST_CASE("CISPO keeps the gradient of clipped tokens, at each published bound", "[objective]") {
  CHECK(at(CispoLoss::minimax(), 3.0, 2.0).d_log_prob == Approx(-1.28 * 2));
  CHECK(at(CispoLoss::minimax(), 0.1, 2.0).d_log_prob == Approx(-0.1 * 2));
  CHECK(at(CispoLoss::slime(), 0.1, 2.0).d_log_prob == Approx(-0.8 * 2));
  CHECK(at(CispoLoss::slime(), 3.0, -2.0).d_log_prob == Approx(1.28 * 2));
  CHECK(at(CispoLoss::trl(), 3.0, 2.0).d_log_prob == Approx(-3.0 * 2));
  CHECK(at(CispoLoss::trl(), 7.0, 2.0).d_log_prob == Approx(-5.0 * 2));
  CHECK(at(CispoLoss::trl(), 3.0, 2.0).value == Approx(-3.0 * 2 * (-1.0 + std::log(3.0))));
}

TEST_CASE("the mean of GSPO's token form has the gradient of the sequence form", "[objective]") {
  // Three tokens; L(x) = max(-s A, -clip(s) A), s = exp(mean(x - old)).
  const double old[] = {-1.0, -0.5, -2.0};
  for (const double shift : {-0.4, 0.05, 0.3})
    for (const double advantage : {0.7, -1.1}) {
      double now[] = {old[0] + shift, old[1] + 2 * shift, old[2] - 0.5 * shift};
      const GspoLoss loss{.clip_low = 0.1, .clip_high = 0.15};
      const auto mean_log_ratio = [&] {
        double sum = 0;
        for (int i = 0; i < 3; ++i) sum += now[i] - old[i];
        return sum / 3;
      };
      const auto sequence_form = [&] {
        const double s = std::exp(mean_log_ratio());
        const double clipped = std::min(std::max(s, 0.9), 1.15);
        return std::max(-s * advantage, -clipped * advantage);
      };
      for (int i = 0; i < 3; ++i) {
        const auto gradient =
            differentiate(loss, TokenTerms<double>{.log_prob = now[i],
                                                   .old_log_prob = old[i],
                                                   .advantage = advantage,
                                                   .sequence_log_ratio = mean_log_ratio()});
        CHECK(gradient.value == Approx(sequence_form()));
        const double h = 1e-6;
        const double kept = now[i];
        now[i] = kept + h;
        const double above = sequence_form();
        now[i] = kept - h;
        const double below = sequence_form();
        now[i] = kept;
        CHECK(gradient.d_log_prob / 3 ==
              Approx((above - below) / (2 * h)).epsilon(1e-6).margin(1e-9));
      }
    }
}

TEST_CASE("ratios stay finite, however far the policies are apart", "[objective]") {
  const TokenTerms<double> far{.log_prob = -0.1, .old_log_prob = -1e4, .advantage = -1.0};
  CHECK(differentiate(ClipLoss{}, far).value == Approx(std::exp(20.0)));
  CHECK(differentiate(ClipLoss{}, far).d_log_prob == 0.0);
}

TEST_CASE("GSPO's slope is that of its bounded ratio, on both sides of the bound", "[objective]") {
  // Two tokens whose log-ratios have the mean m: the loss of s = exp(clamp(m, -20, 20)) where the
  // advantage is negative, by central differences of the sequence form.
  const auto sequence_form = [](double m) {
    const double s = std::exp(std::clamp(m, -20.0, 20.0));
    return std::max(s, std::clamp(s, 1 - 3e-4, 1 + 4e-4));  // A = -1
  };
  for (const double mean : {-25.0, -20.5, -19.5, -1.0, 0.5, 19.5, 20.5, 25.0}) {
    const auto gradient = differentiate(GspoLoss{}, TokenTerms<double>{.log_prob = -0.5,
                                                                       .old_log_prob = -0.5 - mean,
                                                                       .advantage = -1.0,
                                                                       .sequence_log_ratio = mean});
    const double h = 1e-6;
    const double slope = (sequence_form(mean + h) - sequence_form(mean - h)) / (2 * h);
    CHECK(gradient.value == Approx(sequence_form(mean)));
    CHECK(gradient.d_log_prob == Approx(slope).epsilon(1e-6));
    if (std::abs(mean) > 20) CHECK(gradient.d_log_prob == 0.0);
  }
}

TEST_CASE("no function of a bounded log-ratio has a slope beyond the bound", "[objective]") {
  const auto slope = [](const auto& loss, double log_ratio, double advantage) {
    return differentiate(loss, TokenTerms<double>{.log_prob = -0.5,
                                                  .old_log_prob = -0.5 - log_ratio,
                                                  .reference_log_prob = -0.5 - log_ratio,
                                                  .advantage = advantage,
                                                  .sequence_log_ratio = log_ratio})
        .d_log_prob;
  };
  for (const double far : {-1e4, -20.001, 20.001, 1e4})
    for (const double advantage : {-1.0, 1.0}) {
      CHECK(slope(ClipLoss{}, far, advantage) == 0.0);
      CHECK(slope(DualClipLoss{}, far, advantage) == 0.0);
      CHECK(slope(TwoSidedClipLoss{}, far, advantage) == 0.0);
      CHECK(slope(GspoLoss{}, far, advantage) == 0.0);
      CHECK(slope(KlPenalty<K1>{}, far, advantage) == 0.0);
      CHECK(slope(KlPenalty<K2>{}, far, advantage) == 0.0);
      CHECK(slope(KlPenalty<K3>{}, far, advantage) == 0.0);
      CHECK(slope(KlPenalty<K3WithK2Gradient>{}, far, advantage) == 0.0);
      CHECK(slope(KlPenalty<ImportanceWeightedK3>{}, far, advantage) == 0.0);
    }
}

TEST_CASE("a token is clipped where its ratio is out of bounds on the side of its loss",
          "[objective]") {
  const auto clipped = [](const auto& loss, double ratio, double advantage) {
    const float old_log_prob = -1.0F, of_token = static_cast<float>(advantage);
    const double sequence_log_ratio = std::log(ratio);
    const loops::ComposedLoss<std::remove_cvref_t<decltype(loss)>, NoRegularizer> composed{loss,
                                                                                           {}};
    return composed.clips({.old_log_prob = &old_log_prob,
                           .advantage = &of_token,
                           .sequence_log_ratio = &sequence_log_ratio},
                          0, kernels::TokenPrediction<double>{.log_prob = -1.0 + std::log(ratio)});
  };
  const ClipLoss clip{.clip_low = 0.2, .clip_high = 0.3};
  CHECK(clipped(clip, 1.31, 1.0));
  CHECK_FALSE(clipped(clip, 1.29, 1.0));
  CHECK_FALSE(clipped(clip, 0.5, 1.0));  // out of bounds, but the loss is the unclipped one
  CHECK(clipped(clip, 0.79, -1.0));
  CHECK_FALSE(clipped(clip, 0.81, -1.0));
  CHECK_FALSE(clipped(clip, 5.0, -1.0));
  for (const double ratio : {0.1, 1.0, 9.0}) CHECK_FALSE(clipped(clip, ratio, 0.0));
  CHECK(clipped(DualClipLoss{.bound = 3.0}, 3.1, -1.0));
  CHECK_FALSE(clipped(DualClipLoss{.bound = 3.0}, 2.9, -1.0));
  CHECK(clipped(TwoSidedClipLoss{.cap = 4.0}, 4.1, -1.0));
  CHECK_FALSE(clipped(TwoSidedClipLoss{.cap = 4.0}, 3.9, -1.0));
  CHECK(clipped(CispoLoss{.lower = 0.0, .upper = 1.28}, 1.3, 1.0));
  CHECK(clipped(CispoLoss{.lower = 0.0, .upper = 1.28}, 1.3, -1.0));
  CHECK_FALSE(clipped(CispoLoss{.lower = 0.0, .upper = 1.28}, 0.1, 1.0));
  CHECK(clipped(GspoLoss{}, 1.001, 1.0));
  CHECK(clipped(GspoLoss{}, 0.999, -1.0));
  CHECK_FALSE(clipped(GspoLoss{}, 1.0001, 1.0));
  CHECK_FALSE(clipped(PolicyGradient{}, 9.0, 1.0));  // has no bounds
}
