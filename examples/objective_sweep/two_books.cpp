#include "entries.hpp"
#include "programs.hpp"
#include "sweep.hpp"

namespace objective_sweep {

void sweep_two_books(const Options& options,
                     const std::function<void(const ProblemResult&)>& keep) {
  run_sweep<TwoBooks, Experiments>(options, keep);
}

}  // namespace objective_sweep
