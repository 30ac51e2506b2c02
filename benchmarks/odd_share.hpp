#pragma once

#include <optional>

#include "dualagent/data/task.hpp"
#include "dualagent/trace/rollout.hpp"

namespace bench {

/// A reward that differs within a group, whatever the model can do: the share of odd token ids.
struct OddShare {
  std::optional<double> score(const dualagent::Task&, const dualagent::Rollout& rollout) const {
    double odd = 0, all = 0;
    for (const dualagent::Segment& segment : rollout.segments)
      for (const dualagent::Span& span : segment.context.spans())
        if (span.is_sampled())
          for (const dualagent::Token token : segment.context.tokens(span)) odd += token % 2, ++all;
    return all > 0 ? odd / all : 0.0;
  }
};

}  // namespace bench
