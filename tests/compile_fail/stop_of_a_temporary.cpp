// expect: EarlyStop::of keeps a reference to its object, which must outlive the generation
#include "dualagent/text/stop_rule.hpp"

using namespace dualagent;

struct DialectOfAMoment {
  bool ends(std::span<const Token>) const { return true; }
};

int main() {
  StopRule stop{.stop_early = EarlyStop::of<&DialectOfAMoment::ends>(DialectOfAMoment{})};
}
