// expect: a TrainingView needs 'bool trains
#include "dualagent/summary/view.hpp"

using namespace dualagent;

struct FirstSegment {
  bool train(const Rollout&, std::size_t segment, const Span&) const { return segment == 0; }
};

int main() { FirstSegment{} | SummarizerOnly{}; }
