#pragma once

#include <string>

#include "options.hpp"

namespace retool_summary {

/// Loads, trains, evaluates and saves; `command` is what people type, for the report.
///
/// Errors: quickstart::Interrupted after Ctrl-C, once all is saved; Error that names the flag for
/// options that do not fit the files; of files and of training.
void run(const Options& options, const std::string& command);

}  // namespace retool_summary
