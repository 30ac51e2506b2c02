#pragma once

#include <span>
#include <string_view>

#include "quickstart/options.hpp"

namespace two_books {

inline constexpr std::string_view kHelp =
    R"(Trains a pair of agents twice from one warm start: on all segments, and on the final segment
and the summaries only. An early decision, which book to open, shows in the outcome alone.

usage: bash examples/two_books/run.sh [options]

  --seed N              of everything random (default 0)
  --steps N             steps of reinforcement learning per run (default 50)
  --warm-start-steps N  steps of the supervised warm start (default 2300)
  --any-warm-start      go on with a warm start that has not learned to copy; else it is an error
  --eval-tasks N        held-out tasks (default 200)
  --out DIR             output folder (default two-books-out)
  --resume              go on with the run in the output folder
  --threads N           threads (default: all cores); results do not depend on it
  --help                this text

Output: result.json, metrics/, models/, checkpoints/ and the generated task files.
)";

/// Errors: Error that names the flag.
inline quickstart::Options parse_options(std::span<const char* const> arguments) {
  quickstart::Options defaults;
  defaults.out = "two-books-out";
  defaults.steps = 50;
  defaults.warm_start_steps = 2300;
  defaults.learning_rate = defaults.last_learning_rate = 1.5e-4;
  const quickstart::Options options = quickstart::parse_options(arguments, defaults);
  if (options.only || !options.tasks.empty())
    throw dualagent::Error("rows and files cannot be chosen here", "command line", "See --help");
  return options;
}

}  // namespace two_books
