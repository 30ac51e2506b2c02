#include "entries.hpp"
#include "programs.hpp"
#include "sweep.hpp"

namespace objective_sweep {

void sweep_ledger_trail(const Options& options,
                        const std::function<void(const ProblemResult&)>& keep) {
  run_sweep<LedgerTrail, Experiments>(options, keep);
}

}  // namespace objective_sweep
