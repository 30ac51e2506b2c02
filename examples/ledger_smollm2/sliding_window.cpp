#include "training.hpp"

namespace ledger_smollm2 {

dualagent::ResultRow train_sliding_window(Run& run) {
  const Room& room = run.options().room;
  Agent agent = run.warm_start(Memory::window, "sliding_window");
  return train(run, {.name = "sliding_window", .label = "sliding window, same limit"},
               dualagent::SharedWeights{agent},
               make_protocol(run.dialect(), run.data().book, room.window,
                             dualagent::TokenBudget{.max_tokens = room.sliding},
                             dualagent::SlidingWindow{.max_tokens = room.sliding}),
               dualagent::AllSegments{});
}

}  // namespace ledger_smollm2
