// What a composed objective costs beside one written by hand, in instructions.
//   bash benchmarks/objective_cost.sh
// Both loops go over the same tokens; their sums are compared and printed.

#include "objective_cost.hpp"

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "dualagent/core/random.hpp"

namespace {

using Terms = dualagent::kernels::TokenTerms<double>;

struct Sums {
  double value = 0, d_log_prob = 0, d_entropy = 0;
};

template <class Loss>
Sums sum(const std::vector<Terms>& tokens, const Loss& loss) {
  Sums sums;
  for (const Terms& token : tokens) {
    const auto gradient = loss.gradient(token);
    sums.value += gradient.value;
    sums.d_log_prob += gradient.d_log_prob;
    sums.d_entropy += gradient.d_entropy;
  }
  return sums;
}

}  // namespace

// Names that a profiler can find.
extern "C" {
__attribute__((noinline)) void composed_loop(const std::vector<Terms>& tokens, Sums& sums) {
  sums = sum(tokens, objective_cost::Composed<double>{});
}
__attribute__((noinline)) void hand_loop(const std::vector<Terms>& tokens, Sums& sums) {
  sums = sum(tokens, objective_cost::ByHand<double>{});
}
}

int main() {
  std::vector<Terms> tokens(100'000);
  const auto random = dualagent::RandomStream::from_seed(1);
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const auto uniform = [&](std::size_t j) { return random.uniform(5 * i + j); };
    tokens[i].log_prob = -3 * uniform(0);
    tokens[i].old_log_prob = tokens[i].log_prob + uniform(1) - 0.5;
    tokens[i].reference_log_prob = tokens[i].log_prob + uniform(2) - 0.5;
    tokens[i].entropy = uniform(3);
    tokens[i].advantage = 2 * uniform(4) - 1;
  }
  Sums composed, by_hand;
  composed_loop(tokens, composed);
  hand_loop(tokens, by_hand);
  const double difference = std::abs(composed.value - by_hand.value) +
                            std::abs(composed.d_log_prob - by_hand.d_log_prob) +
                            std::abs(composed.d_entropy - by_hand.d_entropy);
  std::printf("sums %.6f %.6f %.6f, difference %.1e\n", composed.value, composed.d_log_prob,
              composed.d_entropy, difference);
  return difference < 1e-6 ? EXIT_SUCCESS : EXIT_FAILURE;
}
