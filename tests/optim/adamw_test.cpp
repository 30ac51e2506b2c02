#include "dualagent/optim/adamw.hpp"

#include <cmath>
#include <span>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("AdamW takes the steps of the paper's algorithm", "[optim]") {
  const AdamW adamw{
      .learning_rate = 0.1, .beta1 = 0.8, .beta2 = 0.9, .epsilon = 1e-3, .weight_decay = 0.05};
  std::vector<double> weights{1.0, -2.0, 0.5};
  AdamWState<double> state(3);
  std::vector<double> m(3, 0.0);
  std::vector<double> v(3, 0.0);
  std::vector<double> expected = weights;
  for (int t = 1; t <= 5; ++t) {
    const std::vector<double> gradients{0.3 * t, -1.0, 0.01 / t};
    const double scale = t == 3 ? 0.5 : 1.0;
    adamw.step(std::span(weights), std::span<const double>(gradients), state, scale);
    for (std::size_t i = 0; i < 3; ++i) {  // Loshchilov and Hutter, algorithm 2, lines 6 to 12
      m[i] = 0.8 * m[i] + 0.2 * gradients[i];
      v[i] = 0.9 * v[i] + 0.1 * gradients[i] * gradients[i];
      const double m_hat = m[i] / (1 - std::pow(0.8, t));
      const double v_hat = v[i] / (1 - std::pow(0.9, t));
      const double rate = 0.1 * scale;
      expected[i] -= rate * (m_hat / (std::sqrt(v_hat) + 1e-3)) + rate * 0.05 * expected[i];
      CHECK(weights[i] == Approx(expected[i]).epsilon(1e-12));
    }
  }
  CHECK(state.steps == 5);
}

TEST_CASE("a zero gradient moves nothing but what decays", "[optim]") {
  std::vector<float> weights{2.0F};
  AdamWState<float> state(1);
  const std::vector<float> zero{0.0F};
  AdamW{.learning_rate = 0.1}.step(std::span<float>(weights), std::span<const float>(zero), state);
  CHECK(weights[0] == 2.0F);
  AdamW{.learning_rate = 0.1, .weight_decay = 0.5}.step(std::span<float>(weights),
                                                        std::span<const float>(zero), state);
  CHECK(weights[0] == Approx(1.9F));
}

TEST_CASE("AdamW refuses arrays of different sizes", "[optim]") {
  std::vector<float> weights(3);
  std::vector<float> gradients(2);
  AdamWState<float> state(3);
  CHECK_THROWS_WITH(AdamW{}.step(std::span(weights), std::span(gradients), state),
                    ContainsSubstring("3 parameters, 2 gradients"));
}
