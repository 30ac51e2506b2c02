#include "dualagent/kernels/log_prob.inl"

#include <cmath>
#include <limits>
#include <vector>

#include "support/catch.hpp"

using dualagent::kernels::logit_gradient;

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
