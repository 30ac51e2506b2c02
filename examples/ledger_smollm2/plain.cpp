// The rows without notes.

#include "training.hpp"

namespace ledger_smollm2 {

namespace {

template <class Trigger, class Rewriter>
dualagent::ResultRow train_plain(Run& run, dualagent::ResultRow row, Memory memory, Trigger trigger,
                                 Rewriter rewriter) {
  Agent agent = run.warm_start(memory, row.name);
  return train(run, std::move(row), dualagent::SharedWeights{agent},
               make_protocol(run.dialect(), run.data().book, run.options().room.window_of(memory),
                             trigger, rewriter),
               dualagent::AllSegments{});
}

}  // namespace

dualagent::ResultRow train_sliding_window(Run& run) {
  const std::size_t kept = run.options().room.sliding;
  return train_plain(run, {.name = "sliding_window", .label = "sliding window, same limit"},
                     Memory::window, dualagent::TokenBudget{.max_tokens = kept},
                     dualagent::SlidingWindow{.max_tokens = kept});
}

dualagent::ResultRow train_no_limit(Run& run) {
  const Room& room = run.options().room;
  return train_plain(run,
                     {.name = "no_limit",
                      .label = "no context limit",
                      .note = "window of " + std::to_string(room.unlimited) +
                              " tokens instead of " + std::to_string(room.window)},
                     Memory::all, dualagent::Never{}, dualagent::ReplaceBySummary{});
}

}  // namespace ledger_smollm2
