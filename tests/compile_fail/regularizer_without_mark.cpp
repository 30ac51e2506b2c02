// expect: a Regularizer that is added with [+] needs 'static constexpr bool is_regularizer
#include "dualagent/objective/regularizer.hpp"

using namespace dualagent;

struct Damp {
  template <class S>
  S operator()(const TokenTerms<S>& t) const {
    return t.log_prob * t.log_prob;
  }
};

int main() { EntropyBonus{} + Damp{}; }
