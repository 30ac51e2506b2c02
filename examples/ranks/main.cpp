// The quickstart's pair on several ranks of this host: each plays its share of the rollouts and
// keeps its share of the optimizer's moments. docs/ranks.md explains it.
//   bash examples/ranks/run.sh [--ranks 2] [--steps 20] [--out quickstart-out]

#include <cstdio>
#include <dualagent/dualagent.hpp>
#include <exception>
#include <string>
#include <vector>

#include "ranks/pair.hpp"
namespace da = dualagent;

int main(int argc, char** argv) try {
  const ranks_example::Options options(argc, argv);
  if (da::is_launched())
    return train(options, da::SharedMemoryCollective(da::rank_from_environment()));
  std::vector<std::string> command(argv, argv + argc);  // the same again, as ranks
  command[0] = "/proc/self/exe";
  const da::LaunchOutcome outcome = da::launch_ranks(command, {.ranks = options.ranks});
  if (outcome.status() != 0) std::fprintf(stderr, "\n%s", outcome.text().c_str());
  return outcome.status();
} catch (const std::exception& error) {
  std::fprintf(stderr, "error: %s\n", error.what());
  return 1;
}
