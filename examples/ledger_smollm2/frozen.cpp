#include "training.hpp"

namespace ledger_smollm2 {

dualagent::ResultRow train_answerer(Run& run, const Agent& warm) {
  Agent answerer = warm.copy(), summarizer = warm.copy();
  return train(run, {.name = "frozen_summarizer", .label = "Answerer trained, Summarizer frozen"},
               dualagent::SharedBase{run.base(), answerer, dualagent::Frozen{summarizer}},
               notes_protocol(run, run.options().room), dualagent::AnswererOnly{});
}

}  // namespace ledger_smollm2
