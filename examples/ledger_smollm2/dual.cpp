#include "training.hpp"

namespace ledger_smollm2 {

dualagent::ResultRow train_dual(Run& run, const Agent& warm) {
  Agent agent = warm.copy();
  return train(run, {.name = "dual", .label = "dual-agent, both trained"},
               dualagent::SharedWeights{agent}, notes_protocol(run), dualagent::AllSegments{});
}

dualagent::ResultRow evaluate_warm_start(Run& run, const Agent& warm) {
  Agent agent = warm.copy();
  return evaluate(run, {.name = "warm_start", .label = "warm start only"},
                  dualagent::SharedWeights{agent}, notes_protocol(run), dualagent::AllSegments{});
}

}  // namespace ledger_smollm2
