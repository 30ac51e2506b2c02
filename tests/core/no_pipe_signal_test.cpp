#include "dualagent/core/no_pipe_signal.hpp"

#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("writing to nobody is an error instead of the end of the process", "[core]") {
  const auto before = std::signal(SIGPIPE, SIG_DFL);  // would end this process
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  close(ends[0]);
  {
    const NoPipeSignal quiet;
    CHECK(write(ends[1], "x", 1) == -1);
    CHECK(errno == EPIPE);
  }
  close(ends[1]);
  std::signal(SIGPIPE, before);
}
