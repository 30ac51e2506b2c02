#include "dualagent/collective/shared_memory_rank.hpp"

#include <string>
#include <vector>

#include "dualagent/collective/launcher.hpp"
#include "support/catch.hpp"

using namespace dualagent;

// rank_program.cpp compares what it finds in place with what travels through slots.
TEST_CASE("arrays of processes are added where they are, with the same bits", "[collective]") {
  for (const std::size_t ranks : {1u, 2u, 3u}) {
    std::vector<std::string> lines(ranks);
    const LaunchOutcome outcome = launch_ranks(
        {DUALAGENT_RANK_PROGRAM, "in_place"},
        {.ranks = ranks, .on_line = [&](std::size_t rank, bool, std::string_view line) {
           lines[rank] += std::string(line);
         }});
    CHECK(outcome.status() == 0);
    CHECK(lines == std::vector<std::string>(ranks));
  }
}
