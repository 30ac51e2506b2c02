// The rows in which one agent plays both roles.

#include "training.hpp"

namespace ledger_smollm2 {

dualagent::ResultRow train_dual(Run& run, const Agent& warm) {
  Agent agent = warm.copy();
  return train(run, {.name = "dual", .label = "dual-agent, both trained"},
               dualagent::SharedWeights{agent}, notes_protocol(run, run.options().room),
               dualagent::AllSegments{});
}

dualagent::ResultRow evaluate_warm_start(Run& run, const Agent& warm) {
  Agent agent = warm.copy();
  return evaluate(run, {.name = "warm_start", .label = "warm start only"},
                  dualagent::SharedWeights{agent}, notes_protocol(run, run.options().room),
                  dualagent::AllSegments{});
}

dualagent::ResultRow train_no_limit(Run& run) {
  Room room = run.options().room;
  const std::string note = "window of " + std::to_string(room.unlimited) + " tokens instead of " +
                           std::to_string(room.window);
  room.window = room.unlimited;
  room.budget = room.window - 1;  // more than any history has: no note is ever due
  Agent agent = run.warm_start(Memory::all, "no_limit");
  return train(run, {.name = "no_limit", .label = "no context limit", .note = note},
               dualagent::SharedWeights{agent}, notes_protocol(run, room),
               dualagent::AllSegments{});
}

}  // namespace ledger_smollm2
