// Starts a program as several ranks on this host: launch_ranks RANKS PROGRAM [ARGUMENTS]
// docs/ranks.md explains what the ranks find, and what happens when one of them dies.

#include <cstdio>
#include <exception>
#include <optional>
#include <string>
#include <vector>

#include "dualagent/collective/launcher.hpp"
#include "dualagent/core/number_text.hpp"

int main(int argc, char** argv) try {
  const std::optional<std::size_t> ranks =
      argc < 3 ? std::nullopt : dualagent::parse_number<std::size_t>(argv[1]);
  if (!ranks) {
    std::fprintf(stderr, "usage: launch_ranks RANKS PROGRAM [ARGUMENTS]\n");
    return 2;
  }
  const dualagent::LaunchOutcome outcome =
      dualagent::launch_ranks(std::vector<std::string>(argv + 2, argv + argc), {.ranks = *ranks});
  if (outcome.status() != 0) std::fprintf(stderr, "\n%s", outcome.text().c_str());
  return outcome.status();
} catch (const std::exception& error) {
  std::fprintf(stderr, "error: %s\n", error.what());
  return 1;
}
