#include "dualagent/kernels/log_prob.inl"

#include <cmath>
#include <limits>
#include <vector>

#include "support/catch.hpp"
#include "support/normals.hpp"

using dualagent::kernels::logit_gradient;
using dualagent::kernels::Softmax;

namespace {

/// 0.7 log p(target) + 0.4 H(p), straight from the definitions.
double loss(const std::vector<double>& z, std::size_t target) {
  double sum = 0;
  for (const double value : z) sum += std::exp(value);
  double entropy = 0;
  for (const double value : z) entropy -= std::exp(value) / sum * (value - std::log(sum));
  return 0.7 * (z[target] - std::log(sum)) + 0.4 * entropy;
}

}  // namespace

TEST_CASE("the gradient of a logit is that of central differences", "[kernels]") {
  const std::vector<double> z{0.3, -1.2, 2.0, 0.0};
  const std::size_t target = 1;
  double sum = 0;
  for (const double value : z) sum += std::exp(value);
  double entropy = 0;
  for (const double value : z) entropy -= std::exp(value) / sum * (value - std::log(sum));
  for (std::size_t v = 0; v < z.size(); ++v) {
    std::vector<double> up = z;
    std::vector<double> down = z;
    up[v] += 1e-5;
    down[v] -= 1e-5;
    const double expected = (loss(up, target) - loss(down, target)) / 2e-5;
    CHECK(logit_gradient(std::exp(z[v]) / sum, z[v] - std::log(sum), entropy, v == target, 0.7,
                         0.4) == Approx(expected).epsilon(1e-8));
  }
}

TEST_CASE("an impossible token gets no gradient, not NaN", "[kernels]") {
  const double never = -std::numeric_limits<double>::infinity();
  CHECK(logit_gradient(0.0, never, 0.5, false, 1.0, 1.0) == 0.0);
  CHECK(logit_gradient(0.0, never, 0.5, true, 1.0, 1.0) == 1.0);
}

TEST_CASE("softmax states combine to log-sum and entropy, however a set is cut", "[kernels]") {
  using S = Softmax<double>;
  const double bits = 1 / std::log(2.0);
  const double never = -std::numeric_limits<double>::infinity();
  std::vector<double> x = normals<double>(48, 5, 9.0);
  x[7] = never;
  for (std::size_t i = 40; i < 44; ++i) x[i] = never;  // a part of nothing but impossible ones
  double top = never, sum = 0, entropy = 0;
  for (const double value : x) top = std::max(top, value);
  for (const double value : x) sum += std::exp(value - top);
  for (const double value : x) {
    const double log_p = value - top - std::log(sum);
    if (value != never) entropy -= std::exp(log_p) * log_p;
  }
  const auto part = [&](std::size_t begin, std::size_t end) {
    auto state = S::identity();
    for (std::size_t i = begin; i < end; i += 4) {
      const double four[] = {x[i], x[i + 1], x[i + 2], x[i + 3]};
      state = S::extended(state, four, bits);
    }
    return state;
  };
  for (std::size_t cut = 0; cut <= x.size(); cut += 4) {
    const auto whole = S{}(part(0, cut), part(cut, x.size()));
    CHECK(whole.max == Approx(bits * top).epsilon(1e-15));
    CHECK(whole.log_sum() == Approx(bits * std::log(sum)).epsilon(1e-12));
    CHECK(whole.entropy() == Approx(entropy).epsilon(1e-12));
  }
}

TEST_CASE("what is not a distribution has no finite log-sum", "[kernels]") {
  using S = Softmax<float>;
  const float infinite = std::numeric_limits<float>::infinity();
  const auto finite = [](float a, float b, float c) {
    const float x[] = {a, b, c};
    const float good[] = {1.0F, 2.0F, 3.0F};
    const auto state = S::extended(S::identity(), x, 1.4F);
    return std::isfinite(state.log_sum()) ||
           (state.sum != 0.0F && std::isfinite(S::extended(state, good, 1.4F).log_sum()));
  };
  CHECK(finite(0.0F, -infinite, 5.0F));
  CHECK_FALSE(finite(0.0F, infinite, 5.0F));
  CHECK_FALSE(finite(infinite, infinite, infinite));
  CHECK_FALSE(finite(std::nanf(""), 1.0F, 2.0F));
  CHECK_FALSE(finite(1.0F, 2.0F, std::nanf("")));
  CHECK_FALSE(finite(-infinite, -infinite, -infinite));
}
