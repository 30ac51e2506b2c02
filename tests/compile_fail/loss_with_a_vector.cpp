// expect: a TokenLoss and a Regularizer are plain values
#include <vector>

#include "dualagent/objective/objective.hpp"

using namespace dualagent;

struct Scheduled {
  std::vector<double> bounds;
  template <class S>
  S operator()(const TokenTerms<S>& t) const {
    return -(S(bounds.front()) * t.log_prob * t.advantage);
  }
};

static_assert(check_objective<Objective<GroupNormalized, Scheduled>>());

int main() {}
