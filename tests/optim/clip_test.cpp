#include "dualagent/optim/clip.hpp"

#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;

namespace {
cpu::Loops host;
}

TEST_CASE("gradients are scaled down to the norm, never up", "[optim]") {
  std::vector<double> gradients{3.0, 0.0, -4.0};
  CHECK(global_norm(host, gradients) == 5.0);
  clip_to_norm(host, std::span(gradients), 5.0, 10.0);
  CHECK(gradients == std::vector<double>{3.0, 0.0, -4.0});
  clip_to_norm(host, std::span(gradients), 5.0, 1.0);
  CHECK(gradients[0] == Approx(0.6));
  CHECK(gradients[2] == Approx(-0.8));
}

TEST_CASE("the norm shows what is not finite and does not overflow in float", "[optim]") {
  const std::vector<float> huge{1e30F, 1e30F};
  CHECK(global_norm(host, huge) == Approx(std::sqrt(2.0) * 1e30).epsilon(1e-6));
  const std::vector<float> broken{1.0F, std::numeric_limits<float>::quiet_NaN()};
  CHECK(std::isnan(global_norm(host, broken)));
}
