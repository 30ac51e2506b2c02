#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>

#include "dualagent/core/error.hpp"
#include "dualagent/core/number_text.hpp"

namespace quickstart {

inline constexpr std::array<std::string_view, 5> kRowNames{
    "dual", "warm_start", "frozen_summarizer", "sliding_window", "no_limit"};

inline constexpr std::string_view kHelp =
    R"(Trains a pair of agents, an Answerer and a Summarizer, from scratch on a CPU, and compares
it with four baselines on the same held-out tasks. Leaves a report in the output folder.

usage: bash examples/quickstart/run.sh [options]

  --only ROW            train and evaluate one row only: dual, warm_start, frozen_summarizer,
                        sliding_window or no_limit
  --seed N              of everything random (default 0)
  --steps N             steps of reinforcement learning per row (default 75)
  --warm-start-steps N  steps of the supervised warm start (default 1700)
  --any-warm-start      go on with a warm start that has not learned to copy; else it is an error
  --eval-tasks N        held-out tasks that are generated (default 200)
  --tasks FILE          your own training tasks (JSON lines); needs --held-out and --ledger
  --held-out FILE       your own held-out tasks
  --ledger FILE         your own ledger (CSV: task,page,amount,next)
  --out DIR             output folder (default quickstart-out)
  --resume              go on with the run in the output folder
  --threads N           threads (default: all cores); results do not depend on it
  --help                this text

Output: report.html (a browser shows it while the run goes on), result.json, success.svg, metrics/,
models/, checkpoints/ and the generated task files.
)";

struct Options {
  std::optional<std::string> only;  ///< one of kRowNames
  std::uint64_t seed = 0;
  std::size_t steps = 75;
  /// Of reinforcement: half a cosine from the first to the second over its steps.
  double learning_rate = 4.5e-4, last_learning_rate = 4.5e-5;
  std::size_t warm_start_steps = 1700;
  bool any_warm_start = false;  ///< also one that has not formed; see `require_formed`
  std::size_t eval_tasks = 200;
  std::filesystem::path tasks, held_out, ledger;  ///< empty: generated
  std::filesystem::path out = "quickstart-out";
  bool resume = false;
  std::size_t threads = std::max(1U, std::thread::hardware_concurrency());
  bool help = false;

  bool wants(std::string_view row) const { return !only || *only == row; }
};

namespace detail {

inline std::uint64_t whole_number(std::string_view flag, std::string_view text,
                                  std::uint64_t least) {
  const std::optional<std::uint64_t> value = dualagent::parse_number<std::uint64_t>(text);
  if (!value || *value < least)
    throw dualagent::Error(
        "\"" + std::string(text) + "\" is not a whole number from " + std::to_string(least),
        std::string(flag), "See --help");
  return *value;
}

inline std::string row_name(std::string_view text) {
  if (std::find(kRowNames.begin(), kRowNames.end(), text) == kRowNames.end()) {
    std::string names;
    for (const std::string_view name : kRowNames) (names += names.empty() ? "" : ", ") += name;
    throw dualagent::Error("there is no row \"" + std::string(text) + "\"", "--only",
                           "The rows are " + names);
  }
  return std::string(text);
}

}  // namespace detail

/// A program's own flags: says whether it took `flag`; `value()` is the argument after it.
using OwnFlag =
    std::function<bool(std::string_view flag, const std::function<std::string_view()>& value)>;

/// Reads the command line; what it does not name stays as in `options`. `own_flag` comes first.
///
/// Errors: Error that names the flag.
inline Options parse_options(std::span<const char* const> arguments, Options options = {},
                             const OwnFlag& own_flag = {}) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view flag = arguments[i];
    const auto value = [&]() -> std::string_view {
      if (i + 1 == arguments.size())
        throw dualagent::Error("a value is missing", std::string(flag), "See --help");
      return arguments[++i];
    };
    const auto number = [&](std::uint64_t least) {
      return detail::whole_number(flag, value(), least);
    };
    if (own_flag && own_flag(flag, value)) continue;
    if (flag == "--help" || flag == "-h")
      options.help = true;
    else if (flag == "--resume")
      options.resume = true;
    else if (flag == "--only")
      options.only = detail::row_name(value());
    else if (flag == "--seed")
      options.seed = number(0);
    else if (flag == "--steps")
      options.steps = number(1);
    else if (flag == "--warm-start-steps")
      options.warm_start_steps = number(1);
    else if (flag == "--any-warm-start")
      options.any_warm_start = true;
    else if (flag == "--eval-tasks")
      options.eval_tasks = number(1);
    else if (flag == "--threads")
      options.threads = number(1);
    else if (flag == "--tasks")
      options.tasks = value();
    else if (flag == "--held-out")
      options.held_out = value();
    else if (flag == "--ledger")
      options.ledger = value();
    else if (flag == "--out")
      options.out = value();
    else
      throw dualagent::Error("there is no option \"" + std::string(flag) + "\"", "command line",
                             "See --help");
  }
  const int own = !options.tasks.empty() + !options.held_out.empty() + !options.ledger.empty();
  if (own != 0 && own != 3)
    throw dualagent::Error("--tasks, --held-out and --ledger belong together", "command line",
                           "Give all three, or none to have them generated");
  return options;
}

}  // namespace quickstart
