#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "dualagent/core/error.hpp"
#include "play.hpp"
#include "quickstart/options.hpp"

namespace ledger_smollm2 {

inline constexpr std::string_view kHelp =
    R"(Trains SmolLM2-135M, a real pretrained model, to keep notes: as Answerer it follows a chain of debts
that is longer than its context window, as Summarizer it writes what the window is to be replaced by.
An adapter (LoRA) over the frozen model is trained. Leaves a report in the output folder.

usage: bash examples/ledger_smollm2/run.sh [options]

  --only ROW            train and evaluate one row only: dual (beside it the warm start that it began
                        from), warm_start, frozen_summarizer, sliding_window or no_limit
  --model DIR           a Hugging Face directory of SmolLM2, or of another model whose chat template
                        is known (default: run.sh prepares SmolLM2-135M-Instruct in build/models)
  --seed N              of everything random (default 0)
  --steps N             steps of reinforcement learning per row (default 10)
  --warm-start-steps N  steps of the supervised warm start (default 100)
  --eval-tasks N        held-out tasks (default 128)
  --out DIR             output folder (default ledger-smollm2-out)
  --resume              go on with the run in the output folder
  --threads N           threads (default: all cores); results do not depend on it
  --help                this text

Output: report.html (a browser shows it while the run goes on), result.json, success.svg, metrics/,
models/ (adapters that PEFT reads) and checkpoints/.
)";

struct Options : quickstart::Options {
  std::filesystem::path model;  ///< a Hugging Face directory
  Room room = {};

  // The recipe; no flags.
  std::size_t rank = 16;  ///< of the adapters, on all projections of all layers
  double warm_start_rate = 1e-3;
  std::size_t demonstrations_per_step = 3;  ///< of the warm start: whole episodes
  std::size_t sums_per_step = 6;            ///< see demonstrate_sums
  std::size_t tasks_per_step = 8;
  std::size_t group_size = 8;

  Options() {
    out = "ledger-smollm2-out";
    steps = 10;
    warm_start_steps = 100;
    eval_tasks = 128;
    learning_rate = 2e-4;
    last_learning_rate = 5e-5;
  }
};

/// Errors: Error that names the flag.
inline Options parse_options(std::span<const char* const> arguments) {
  Options options;
  static_cast<quickstart::Options&>(options) =
      quickstart::parse_options(arguments, options, [&](std::string_view flag, const auto& value) {
        if (flag == "--model") options.model = value();
        return flag == "--model";
      });
  if (options.help) return options;
  if (!options.tasks.empty() || options.any_warm_start)
    throw dualagent::Error("this program has no --tasks, --held-out, --ledger or --any-warm-start",
                           "command line", "See --help");
  if (options.model.empty())
    throw dualagent::Error("it is missing", "--model",
                           "Name a Hugging Face directory; examples/ledger_smollm2/run.sh prepares "
                           "SmolLM2-135M-Instruct where none is named");
  return options;
}

}  // namespace ledger_smollm2
