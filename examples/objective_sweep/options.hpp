#pragma once

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quickstart/options.hpp"

namespace objective_sweep {

inline constexpr std::array<std::string_view, 2> kProblemNames{"ledger_trail", "two_books"};

inline constexpr std::string_view kHelp =
    R"(Trains the same warm start with each of a list of recipes, with equal tasks, random numbers
and steps, and compares them on held-out tasks. The list is examples/objective_sweep/entries.hpp.

usage: bash examples/objective_sweep/run.sh [options]

  --problem NAME        ledger_trail or two_books (default: both)
  --entry NAME          this experiment only, e.g. grpo_all_segments; may be given several times
  --seed N              of everything random (default 0)
  --steps N             steps of reinforcement learning per experiment (default 40)
  --warm-start-steps N  steps of the supervised warm start (default 2300)
  --any-warm-start      go on with a warm start that has not learned to copy; else it is an error
  --eval-tasks N        held-out tasks (default 200)
  --out DIR             output folder (default objective-sweep-out)
  --resume              go on with the run in the output folder
  --threads N           threads (default: all cores); results do not depend on it
  --help                this text

Output: table.md and result.json, both complete after every experiment; for each problem
success.svg, report.html, metrics/, models/, checkpoints/ and the generated task files.
)";

struct Options : quickstart::Options {
  std::vector<std::string> problems = {kProblemNames.begin(), kProblemNames.end()};
  std::vector<std::string> entries = {};  ///< names; empty: all

  bool wants_problem(std::string_view name) const {
    return std::find(problems.begin(), problems.end(), name) != problems.end();
  }
  bool wants_entry(std::string_view name) const {
    return entries.empty() || std::find(entries.begin(), entries.end(), name) != entries.end();
  }
};

namespace detail {

inline std::string known_name(std::string_view flag, std::string_view name,
                              std::span<const std::string> known) {
  if (std::find(known.begin(), known.end(), name) != known.end()) return std::string(name);
  std::string names;
  for (const std::string& other : known) (names += names.empty() ? "" : ", ") += other;
  throw dualagent::Error("there is no \"" + std::string(name) + "\"", std::string(flag),
                         "The names are " + names);
}

}  // namespace detail

/// Reads the command line; `entry_names` are those that exist.
///
/// Errors: Error that names the flag.
inline Options parse_options(std::span<const char* const> arguments,
                             std::span<const std::string> entry_names) {
  Options options;
  options.out = "objective-sweep-out";
  options.steps = 40;
  options.warm_start_steps = 2300;
  options.learning_rate = options.last_learning_rate = 1.5e-4;
  std::vector<std::string> problems;
  const auto own_flag = [&](std::string_view flag, const auto& value) {
    if (flag == "--problem")
      problems.push_back(detail::known_name(flag, value(), Options{}.problems));
    else if (flag == "--entry")
      options.entries.push_back(detail::known_name(flag, value(), entry_names));
    else
      return false;
    return true;
  };
  static_cast<quickstart::Options&>(options) =
      quickstart::parse_options(arguments, options, own_flag);
  if (options.only || !options.tasks.empty())
    throw dualagent::Error("--only and files cannot be chosen here", "command line", "See --help");
  if (!problems.empty()) options.problems = problems;
  return options;
}

}  // namespace objective_sweep
