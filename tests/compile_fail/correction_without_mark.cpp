// expect: an ImportanceCorrection that is multiplied with [*] needs 'static constexpr bool is_corr
#include "dualagent/objective/correction.hpp"

using namespace dualagent;

struct Half {
  double weight(const CorrectionTerms&) const { return 0.5; }
};

int main() { Half{} * TruncatedIs{}; }
