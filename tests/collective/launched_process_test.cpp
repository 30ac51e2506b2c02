#include "dualagent/collective/launched_process.hpp"

#include <poll.h>
#include <signal.h>

#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/error_of.hpp"

using namespace dualagent;
using detail::LaunchedProcess;

namespace {

/// Waits for the end of a shell that runs `script`, and collects its lines.
LaunchedEnd run(const std::string& script, std::vector<std::string>& lines,
                const std::vector<std::string>& environment = detail::environment_with({}),
                int signal = 0) {
  LaunchedProcess process({"/bin/sh", "-c", script}, environment);
  const auto on_line = [&](bool is_error, const std::string& line) {
    lines.push_back((is_error ? "error: " : "") + line);
    if (signal != 0) process.signal(signal);
  };
  while (!process.ended()) {
    std::vector<pollfd> polled;
    process.add_to(polled);
    ::poll(polled.data(), polled.size(), -1);
    process.look(polled.data(), 2, on_line);
  }
  process.read_rest(2, on_line);
  CHECK(process.is_over());
  return process.end();
}

}  // namespace

TEST_CASE("a launched process is read line by line, and its last words are kept", "[collective]") {
  std::vector<std::string> lines;
  const LaunchedEnd end = run("echo one; echo two >&2; printf 'three\\rfour'; exit 7", lines);
  CHECK(end.status == 7);
  CHECK(end.text() == "ended with status 7");
  std::ranges::sort(lines);
  CHECK(lines == std::vector<std::string>{"error: two", "four", "one", "three"});
  CHECK(end.last_words.size() == 2);
}

TEST_CASE("a launched process is killed by signals, and a child of it holds nobody up",
          "[collective]") {
  std::vector<std::string> lines;
  const LaunchedEnd end =
      run("echo here; sleep 1000", lines, detail::environment_with({}), SIGKILL);
  CHECK(end.text() == "was killed by signal 9 (Killed)");
  lines.clear();
  CHECK(run("sleep 1000 & echo $!", lines).status == 0);  // which keeps the streams open
  REQUIRE(lines.size() == 1);
  CHECK(::kill(std::stoi(lines[0]), SIGKILL) == 0);
}

TEST_CASE("a launched process has the environment that it was given", "[collective]") {
  ::setenv("DUALAGENT_TEST_KEPT", "kept", 1);
  ::setenv("DUALAGENT_TEST_CHANGED", "before", 1);
  std::vector<std::string> lines;
  run("echo $DUALAGENT_TEST_KEPT $DUALAGENT_TEST_CHANGED", lines,
      detail::environment_with({"DUALAGENT_TEST_CHANGED=after"}));
  CHECK(lines == std::vector<std::string>{"kept after"});
}

TEST_CASE("what cannot be run is a process that ends with status 127", "[collective]") {
  LaunchedProcess process({"/no/such/program"}, {});
  while (!process.ended()) {
    std::vector<pollfd> polled;
    process.add_to(polled);
    ::poll(polled.data(), polled.size(), -1);
    process.look(polled.data(), 2, [](bool, const std::string&) {});
  }
  process.read_rest(2, [](bool, const std::string&) {});
  CHECK(process.end().status == 127);
  REQUIRE(process.end().last_words.size() == 1);
  CHECK_THAT(process.end().last_words[0], ContainsSubstring("cannot run /no/such/program"));
}

TEST_CASE("a word or variable that exec would cut off is refused before anything is started",
          "[collective]") {
  const std::string cut("a\0b", 3);
  CHECK(error_of([&] {
          LaunchedProcess({"/bin/echo", cut}, {});
        }) ==
        "the command's word 1 has a NUL byte at byte 1 (a process to start). The system would end "
        "it there: take it out");
  CHECK_THAT(error_of([&] {
               LaunchedProcess({"/bin/true"}, {"A=1", "TOKEN=" + cut});
             }),
             ContainsSubstring("the environment's entry 1 has a NUL byte at byte 7") &&
                 !ContainsSubstring("TOKEN"));
}
