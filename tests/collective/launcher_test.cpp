#include "dualagent/collective/launcher.hpp"

#include <signal.h>
#include <unistd.h>

#include <cstddef>
#include <string>
#include <vector>

#include "dualagent/core/error.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"

using namespace dualagent;

namespace {

/// Runs a part of rank_program.cpp; `lines` gets what the ranks write.
LaunchOutcome launch(const std::string& what, std::size_t ranks, double grace_seconds,
                     std::vector<std::string>& lines) {
  return launch_ranks(
      {DUALAGENT_RANK_PROGRAM, what},
      {.ranks = ranks,
       .grace_seconds = grace_seconds,
       .on_line = [&](std::size_t rank, bool is_error, std::string_view line) {
         lines.push_back(std::to_string(rank) + (is_error ? " error: " : ": ") + std::string(line));
       }});
}

}  // namespace

TEST_CASE("ranks are told who they are, and their ends are told", "[collective]") {
  std::vector<std::string> lines;
  const LaunchOutcome outcome = launch("status", 3, 60, lines);
  std::ranges::sort(lines);
  CHECK(lines == std::vector<std::string>{"0: rank 0 of 3", "1: rank 1 of 3", "2: rank 2 of 3"});
  REQUIRE(outcome.ranks.size() == 3);
  for (std::size_t rank = 0; rank < 3; ++rank)
    CHECK(outcome.ranks[rank].status == static_cast<int>(10 + rank));
  REQUIRE(outcome.first_failed);
  CHECK(outcome.status() == static_cast<int>(10 + *outcome.first_failed));
}

TEST_CASE("a rank that fails ends the others and is named first", "[collective]") {
  std::vector<std::string> lines;
  const LaunchOutcome outcome = launch("one_fails", 3, 1, lines);
  CHECK(outcome.first_failed == std::size_t{1});
  CHECK(outcome.status() == 7);
  CHECK(outcome.ranks[0].status == 128 + SIGTERM);
  CHECK(outcome.ranks[2].status == 128 + SIGTERM);
  CHECK_THAT(outcome.text(), ContainsSubstring("rank 1 (process ") &&
                                 ContainsSubstring("ended with status 7, first") &&
                                 ContainsSubstring("was killed by signal 15 (Terminated)\n"));
  CHECK(outcome.text().starts_with("rank 1 "));
}

TEST_CASE("signals of the launcher are passed on to the ranks", "[collective]") {
  std::size_t waiting = 0;
  const LaunchOutcome outcome =
      launch_ranks({DUALAGENT_RANK_PROGRAM, "wait"},
                   {.ranks = 2, .on_line = [&](std::size_t, bool, std::string_view) {
                      if (++waiting == 2) ::kill(::getpid(), SIGINT);
                    }});
  for (const RankEnd& end : outcome.ranks) CHECK(end.status == 128 + SIGINT);
}

TEST_CASE("a program that cannot be run is a rank with last words", "[collective]") {
  const LaunchOutcome outcome =
      launch_ranks({"/no/such/program"}, {.on_line = [](std::size_t, bool, std::string_view) {}});
  CHECK(outcome.status() == 127);
  CHECK_THAT(outcome.text(), ContainsSubstring("cannot run /no/such/program: No such file"));
}

TEST_CASE("a launch that cannot be meant is refused", "[collective]") {
  CHECK_THAT(error_of([] { launch_ranks({}, {}); }), ContainsSubstring("no program"));
  CHECK_THAT(error_of([] { launch_ranks({"true"}, {.ranks = 0}); }),
             ContainsSubstring("ranks is 0"));
}

TEST_CASE("a grace that no clock can be moved by is refused, not taken for none", "[collective]") {
  CHECK_THAT(error_of([] { launch_ranks({"/bin/true"}, {.grace_seconds = 1e10}); }),
             ContainsSubstring("grace_seconds is 1e+10"));
}
