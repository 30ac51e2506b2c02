#pragma once

#include <string>

#include "options.hpp"

namespace ledger_smollm2 {

/// Loads the model, trains and evaluates the rows, and leaves the report; `command` is what people
/// type.
///
/// Errors: quickstart::Interrupted after Ctrl-C, once all is saved; of files and of training.
void run(const Options& options, const std::string& command);

}  // namespace ledger_smollm2
