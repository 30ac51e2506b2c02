#include "dualagent/collective/supervisor.hpp"

#include <signal.h>
#include <unistd.h>

#include <cstddef>
#include <limits>
#include <string>
#include <vector>

#include "dualagent/io/atomic_file.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;

namespace {

SupervisedProgram shell(const std::string& name, const std::string& script, bool serves = false) {
  return {name, {"/bin/sh", "-c", script}, serves};
}

/// Says that it is there, and ends when it is told to.
const std::string kServer =
    "trap 'kill $! 2>/dev/null; echo ends; exit 0' TERM; echo serves; sleep 30 & wait";

/// Supervises, and collects the lines as "NAME: line".
SupervisorOutcome run(const std::vector<SupervisedProgram>& programs, SupervisorOptions options,
                      std::vector<std::string>& lines) {
  const auto also = options.on_line;
  options.on_line = [&, also](std::size_t p, bool is_error, std::string_view line) {
    lines.push_back(programs[p].name + ": " + std::string(line));
    if (also) also(p, is_error, line);
  };
  return supervise(programs, options);
}

}  // namespace

TEST_CASE("programs that work end, then those that serve them are told to", "[collective]") {
  std::vector<std::string> lines;
  const SupervisorOutcome outcome =
      run({shell("server", kServer, true), shell("work", "echo works")}, {}, lines);
  CHECK(outcome.status() == 0);
  CHECK(!outcome.interrupted);
  CHECK(outcome.programs[1].end.status == 0);
  CHECK(outcome.programs[1].restarts == 0);
  CHECK(std::ranges::count(lines, "work: works") == 1);
}

TEST_CASE("whichever dies is started again, and those that serve at every end", "[collective]") {
  const TemporaryFolder folder;
  const std::string count = "echo x >> " + (folder / "count").string() + "; ";
  // The second start of the work waits until the server has been started again.
  const std::string work = count + "if [ $(wc -l < " + (folder / "count").string() +
                           ") -lt 2 ]; then kill -9 $$; fi; while [ ! -e " +
                           (folder / "again").string() + " ]; do sleep 0.01; done";
  const std::string server = "if [ -e " + (folder / "once").string() + " ]; then touch " +
                             (folder / "again").string() + "; " + kServer + "; fi; touch " +
                             (folder / "once").string();
  std::vector<std::string> deaths, lines;
  const SupervisorOutcome outcome =
      run({shell("server", server, true), shell("work", work)},
          {.restart_seconds = 0,
           .on_restart =
               [&](std::size_t p, const LaunchedEnd& end, std::size_t restarts) {
                 deaths.push_back(std::to_string(p) + " " + end.text() + " " +
                                  std::to_string(restarts));
               }},
          lines);
  CHECK(outcome.status() == 0);
  std::ranges::sort(deaths);
  CHECK(deaths ==
        std::vector<std::string>{"0 ended with status 0 1", "1 was killed by signal 9 (Killed) 1"});
  CHECK(outcome.programs[0].restarts == 1);
  CHECK_THAT(outcome.text(),
             ContainsSubstring("work: ended with status 0, started again 1 time\n"));
}

TEST_CASE("one that asks to be started again has not died", "[collective]") {
  const TemporaryFolder folder;
  const std::string count = (folder / "count").string();
  std::vector<std::string> lines;
  std::size_t deaths = 0;
  const SupervisorOutcome outcome =
      run({shell("work", "echo x >> " + count + "; exit $([ $(wc -l < " + count +
                             ") -lt 4 ] && echo 75 || echo 0)")},
          {.max_restarts = 0,
           .again_status = 75,
           .restart_seconds = 0,
           .on_restart = [&](std::size_t, const LaunchedEnd&, std::size_t) { ++deaths; }},
          lines);
  CHECK(outcome.status() == 0);
  CHECK(outcome.programs[0].restarts == 0);
  CHECK(deaths == 0);
  CHECK(read_file(count) == "x\nx\nx\nx\n");
  CHECK_THAT(error_of([&] { supervise({shell("work", "exit 0")}, {.again_status = 0}); }),
             ContainsSubstring("SupervisorOptions::again_status"));
}

TEST_CASE("one that dies too often ends all, and its last words are told", "[collective]") {
  std::vector<std::string> lines;
  const SupervisorOutcome outcome =
      run({shell("server", kServer, true), shell("good", "echo here; exec sleep 30"),
           shell("bad", "echo no weights; exit 3")},
          {.max_restarts = 2, .restart_seconds = 0}, lines);
  CHECK(outcome.gave_up == std::size_t{2});
  CHECK(outcome.status() == 1);
  CHECK(std::ranges::count(lines, "bad: no weights") == 3);
  CHECK(outcome.programs[1].end.status == 128 + SIGTERM);
  CHECK_THAT(
      outcome.text(),
      ContainsSubstring("bad: ended with status 3, started again 2 times\n    no weights\n"));
}

TEST_CASE("a signal ends those that work, then those that serve; nothing is started again",
          "[collective]") {
  std::vector<std::string> lines;
  SupervisorOptions options;
  std::size_t here = 0;
  options.on_line = [&](std::size_t, bool, std::string_view line) {
    if ((line == "works" || line == "serves") && ++here == 2) ::kill(::getpid(), SIGTERM);
  };
  const SupervisorOutcome outcome = run(
      {shell("server", kServer, true),
       shell("work",
             "trap 'kill $! 2>/dev/null; echo saved; exit 130' TERM; echo works; sleep 30 & wait")},
      options, lines);
  CHECK(outcome.interrupted);
  CHECK(outcome.status() == 130);
  CHECK(outcome.programs[1].end.status == 130);
  CHECK(outcome.programs[1].end.text() == "ended with status 130");
  CHECK(outcome.programs[1].restarts == 0);
  REQUIRE(lines.size() == 4);
  CHECK(lines[2] == "work: saved");
  CHECK(lines[3] == "server: ends");
}

TEST_CASE("one that does not end when it is told to is killed", "[collective]") {
  const TemporaryFolder folder;
  const std::string deaf = (folder / "deaf").string();
  std::vector<std::string> lines;
  const SupervisorOutcome outcome =
      run({shell("server", "trap '' TERM; touch " + deaf + "; sleep 30", true),
           shell("work", "while [ ! -e " + deaf + " ]; do sleep 0.01; done")},
          {.grace_seconds = 0.01}, lines);
  CHECK(outcome.status() == 0);
  CHECK(outcome.programs[0].end.status == 128 + SIGKILL);
}

TEST_CASE("what can have no end is refused", "[collective]") {
  CHECK_THAT(error_of([] { supervise({shell("server", kServer, true)}); }),
             ContainsSubstring("no program has an end of its own"));
  CHECK_THAT(error_of([] {
               supervise({{"nothing", {}}});
             }),
             ContainsSubstring("program 'nothing' of supervise"));
}

TEST_CASE("seconds that no clock can be moved by are refused, not taken for none", "[collective]") {
  const auto refused = [](SupervisorOptions options) {
    return error_of([&] { supervise({shell("work", "exit 0")}, options); });
  };
  CHECK_THAT(refused({.restart_seconds = 1e10}), ContainsSubstring("restart_seconds is 1e+10"));
  CHECK_THAT(refused({.grace_seconds = 1e10}), ContainsSubstring("grace_seconds is 1e+10"));
  CHECK_THAT(refused({.grace_seconds = std::numeric_limits<double>::quiet_NaN()}),
             ContainsSubstring("grace_seconds is nan"));
}

TEST_CASE("a status that no program can end with is none that asks for another start",
          "[collective]") {
  for (const int status : {-1, 0, 256})
    CHECK_THAT(error_of([&] { supervise({shell("work", "exit 0")}, {.again_status = status}); }),
               ContainsSubstring("again_status"));
}
