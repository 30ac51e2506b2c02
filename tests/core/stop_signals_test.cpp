#include "dualagent/core/stop_signals.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "support/catch.hpp"

using namespace dualagent;

namespace {
volatile std::sig_atomic_t seen_by_program = 0;
extern "C" void see(int) { seen_by_program = 1; }
}  // namespace

TEST_CASE("signals that ask to stop are noted and end nothing", "[core]") {
  for (const int signal : {SIGINT, SIGTERM}) {
    const StopSignals signals;
    CHECK(!StopSignals::requested());  // an earlier scope's request is forgotten
    REQUIRE(std::raise(signal) == 0);
    CHECK(StopSignals::requested());
  }
}

TEST_CASE("the second signal ends the process", "[core]") {
  const pid_t child = ::fork();
  if (child == 0) {
    const StopSignals signals;
    std::raise(SIGINT);
    std::raise(SIGTERM);
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGTERM);
}

TEST_CASE("an inner scope keeps the outer one's request, the program gets its handlers back",
          "[core]") {
  const auto before = std::signal(SIGINT, see);
  {
    const StopSignals outer;
    {
      const StopSignals inner;
      std::raise(SIGINT);
    }
    CHECK(StopSignals::requested());
    const StopSignals next;
    CHECK(StopSignals::requested());
    CHECK(seen_by_program == 0);
  }
  std::raise(SIGINT);
  CHECK(seen_by_program == 1);
  std::signal(SIGINT, before);
}
