#pragma once

#include <functional>

#include "options.hpp"
#include "result.hpp"

namespace objective_sweep {

/// `run_sweep` of all entries, one translation unit per problem so that they compile in parallel.
void sweep_ledger_trail(const Options& options,
                        const std::function<void(const ProblemResult&)>& keep);
void sweep_two_books(const Options& options, const std::function<void(const ProblemResult&)>& keep);

}  // namespace objective_sweep
