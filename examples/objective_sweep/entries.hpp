#pragma once

#include <tuple>

#include "dualagent/train/recipe.hpp"
#include "entry.hpp"

namespace objective_sweep {

using namespace dualagent;

/// All summaries, but only those turns of the Answerer that come after the last one.
using FinalAndSummaries = ViewUnion<FinalSegment, SummarizerOnly>;

/// The experiments. One line makes one more.
struct Experiments {
  // clang-format off
  using List = std::tuple<
      Entry<"GRPO, all segments", Recipe<Grpo, AllSegments>>,
      Entry<"Dr. GRPO, all segments", Recipe<DrGrpo, AllSegments>>,
      Entry<"DAPO, all segments", Recipe<Dapo, AllSegments>>,
      Entry<"GSPO, all segments", Recipe<Gspo, AllSegments>>,
      Entry<"CISPO, all segments", Recipe<Cispo, AllSegments>>,
      Entry<"RLOO, all segments", Recipe<Rloo, AllSegments>>,
      Entry<"REINFORCE++, all segments", Recipe<ReinforcePlusPlus, AllSegments>>,
      Entry<"REINFORCE++ baseline, all segments", Recipe<ReinforcePlusPlusBaseline, AllSegments>>,
      Entry<"PPO with critic, all segments", Recipe<Ppo, AllSegments>>,
      Entry<"CompactionRL PPO, all segments", CompactionPpo>,
      Entry<"SUPO, all segments", Supo>,
      Entry<"MemAgent, all segments", MemAgent>,
      Entry<"ReSum-GRPO, Answerer only", ResumGrpo>,
      Entry<"reference system, final segment", ReferenceSystem>,
      Entry<"GRPO, final and summaries", Recipe<Grpo, FinalAndSummaries>>,
      Entry<"DAPO, final and summaries", Recipe<Dapo, FinalAndSummaries>>>;
  // clang-format on
};

}  // namespace objective_sweep
