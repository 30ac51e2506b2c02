#pragma once

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "dualagent/core/types.hpp"
#include "quickstart/options.hpp"

namespace two_jobs {

inline constexpr std::string_view kHelp =
    R"(The quickstart's task and model, trained as two jobs: four processes, of which any may be
killed. On one machine, or with --job on two. docs/two-jobs.md explains them.

usage: bash examples/two_jobs/run.sh [options]

  --seed N              of everything random (default 0)
  --steps N             steps of reinforcement learning (default 75)
  --tasks-per-step N    of which 8 rollouts each and their forks are played (default 16)
  --max-staleness N     weight versions that samplers may lag behind the learners, 2 for each step
                        ahead (default 0: the run of one process, bit by bit)
  --warm-start-steps N  steps of the supervised warm start (default 1700)
  --any-warm-start      go on with a warm start that has not learned to copy; else it is an error
  --eval-tasks N        held-out tasks that are generated (default 200)
  --out DIR             output folder (default two-jobs-out)
  --resume              go on with the run in the output folder
  --threads N           threads of the warm start and the evaluation (default: all cores)
  --job JOB             only the processes of this job, summarizer (with the store and the service)
                        or answerer: the other one is started elsewhere, with the same --out in a
                        folder that both see and the same options. Goes on where it was
  --host HOST           name or address by which the other job reaches this one's servers (default
                        127.0.0.1: the same machine; else they listen on all interfaces)
  --role ROLE           one of the four processes, which the program starts by itself: store,
                        service, answerer or summarizer
  --help                this text

Output: result.json, metrics/, models/ and the processes' folders.
)";

struct Options : quickstart::Options {
  std::string_view job = {};   ///< empty: both
  std::string_view role = {};  ///< empty: starts those of the job
  std::string_view host = "127.0.0.1";
  dualagent::WeightVersion max_staleness = 0;
  std::size_t tasks_per_step = 16;
};

/// Errors: Error that names the flag.
inline Options parse(std::span<const char* const> arguments) {
  Options options;
  options.out = "two-jobs-out";
  static_cast<quickstart::Options&>(options) =
      quickstart::parse_options(arguments, options, [&](std::string_view flag, const auto& value) {
        if (flag == "--role")
          options.role = value();
        else if (flag == "--job")
          options.job = value();
        else if (flag == "--host")
          options.host = value();
        else if (flag == "--max-staleness")
          options.max_staleness = quickstart::detail::whole_number(flag, value(), 0);
        else if (flag == "--tasks-per-step")
          options.tasks_per_step = quickstart::detail::whole_number(flag, value(), 1);
        else if (flag == "--only" || flag == "--tasks" || flag == "--held-out" ||
                 flag == "--ledger")
          throw dualagent::Error("cannot be chosen here", std::string(flag), "See --help");
        else
          return false;
        return true;
      });
  if (!options.job.empty() && options.job != "summarizer" && options.job != "answerer")
    throw dualagent::Error("there is no job \"" + std::string(options.job) + "\"", "--job",
                           "The jobs are summarizer and answerer");
  const auto in_address = [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '.' || c == '-' || c == '_';
  };
  if (options.host.empty() || !std::ranges::all_of(options.host, in_address))
    throw dualagent::Error("\"" + std::string(options.host) + "\" is neither a name nor an address",
                           "--host", "Give this machine's name or IPv4 address, without a port");
  if (!options.job.empty()) options.resume = true;  // the other one may have begun
  if (options.max_staleness == 1)
    throw dualagent::Error("a step makes 2 weight versions, so that 1 lets nothing run ahead",
                           "--max-staleness", "Set it to 0, or to 2 for each step ahead");
  return options;
}

}  // namespace two_jobs
