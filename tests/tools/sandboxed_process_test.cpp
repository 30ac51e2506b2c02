#include "dualagent/tools/sandboxed_process.hpp"

#include <signal.h>
#include <sys/wait.h>

#include <cerrno>
#include <cmath>
#include <limits>
#include <string>
#include <thread>

#include "dualagent/tools/python_interpreter.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/sandboxes.hpp"

using namespace dualagent;

namespace {

template <class S>
S small(double wall_seconds = 5.0) {
  return S{.limits = {.wall_seconds = wall_seconds,
                      .cpu_seconds = 2,
                      .memory_bytes = 256u << 20,
                      .max_processes = 16,
                      .file_bytes = 1u << 20,
                      .output_bytes = 4096}};
}

template <class S>
ProcessResult shell(const std::string& script, const std::string& input = {}, double wall = 5.0) {
  return SandboxedCommand<S>(small<S>(wall))({"/bin/sh", "-c", script}, input);
}

}  // namespace

TEMPLATE_TEST_CASE("a command gets its input and gives output, errors and status", "[tools]",
                   Rlimits, Bubblewrap) {
  if (!runs_here<TestType>()) return;
  const ProcessResult sorted = SandboxedCommand<TestType>(small<TestType>())({"sort"}, "b\na\n");
  CHECK(sorted.output == "a\nb\n");
  CHECK(sorted.end == ProcessEnd::exited);
  CHECK(sorted.code == 0);
  const ProcessResult failed = shell<TestType>("echo out; echo err >&2; exit 7");
  CHECK(failed.output == "out\nerr\n");
  CHECK(failed.code == 7);
  const ProcessResult killed = shell<TestType>("kill -SEGV $$");
  CHECK(killed.end == ProcessEnd::signalled);
  CHECK(killed.code == SIGSEGV);
}

TEMPLATE_TEST_CASE("input that nobody reads neither blocks nor signals the host", "[tools]",
                   Rlimits, Bubblewrap) {
  if (!runs_here<TestType>()) return;
  const std::string megabytes(4u << 20, 'x');
  CHECK(shell<TestType>("exec 0<&-; echo done", megabytes).output == "done\n");
  CHECK(shell<TestType>("wc -c", megabytes).output == "4194304\n");
}

TEMPLATE_TEST_CASE("wall clock, output and a stop request end a command", "[tools]", Rlimits,
                   Bubblewrap) {
  if (!runs_here<TestType>()) return;
  CHECK(shell<TestType>("echo first; sleep 1000", {}, 0.3).end == ProcessEnd::wall_clock);
  const ProcessResult endless = shell<TestType>("yes");
  CHECK(endless.end == ProcessEnd::output_limit);
  CHECK(endless.output.size() == 4096);
  std::stop_source source;
  source.request_stop();
  const ProcessResult stopped =
      SandboxedCommand<TestType>(small<TestType>(60.0))({"sleep", "1000"}, {}, source.get_token());
  CHECK(stopped.end == ProcessEnd::cancelled);
}

TEMPLATE_TEST_CASE("a command sees no environment, descriptor or terminal of the host", "[tools]",
                   Rlimits, Bubblewrap) {
  if (!runs_here<TestType>()) return;
  setenv("DUALAGENT_TEST_SECRET", "hunter2", 1);
  const int leaky = open("/dev/null", O_RDONLY);  // as a careless library opens it
  const ProcessResult result = shell<TestType>("env; cd /proc/self/fd && echo *");
  close(leaky);
  unsetenv("DUALAGENT_TEST_SECRET");
  CHECK(result.output.find("hunter2") == std::string::npos);
  CHECK_THAT(result.output, ContainsSubstring("\n0 1 2"));
  CHECK(result.output.find("2 3 4") == std::string::npos);
  CHECK_THAT(result.output, ContainsSubstring("LANG=C.UTF-8"));
}

TEMPLATE_TEST_CASE("the kernel short of memory ends a command before the host", "[tools]", Rlimits,
                   Bubblewrap) {
  if (!runs_here<TestType>()) return;
  const std::string own = detail::read_proc_file("/proc/self/oom_score_adj");
  CHECK(own != "1000\n");
  CHECK(shell<TestType>("cat /proc/self/oom_score_adj").output == "1000\n");
  CHECK(detail::read_proc_file("/proc/self/oom_score_adj") == own);
}

TEMPLATE_TEST_CASE("what cannot be started is an error that names it", "[tools]", Rlimits) {
  CHECK_THROWS_WITH(SandboxedCommand<TestType>{}({"no-such-program"}),
                    ContainsSubstring("no-such-program"));
  CHECK_THROWS_WITH(SandboxedCommand<TestType>{}({"/etc/hostname"}),
                    ContainsSubstring("/etc/hostname"));
  CHECK_THROWS_AS(SandboxedCommand<TestType>{}({}), Error);
}

TEST_CASE("a sandbox that ends before its command starts is not waited for", "[tools]") {
  Bubblewrap broken = small<Bubblewrap>();
  broken.program = "/bin/false";  // as bwrap does where the kernel forbids namespaces
  const ProcessResult result = SandboxedCommand<Bubblewrap>(broken)({"sort"});
  CHECK(result.end == ProcessEnd::exited);
  CHECK(result.code == 1);
  PythonOptions<Bubblewrap> options{.sandbox = broken};
  CHECK_THROWS_WITH(PythonInterpreter<Bubblewrap>(options).run("print(1)"),
                    ContainsSubstring("does not start"));
}

namespace {

/// While it lives, SIGCHLD has another disposition.
class ChildSignals {
 public:
  ChildSignals(void (*handler)(int), int flags) {
    struct sigaction action {};
    action.sa_handler = handler;
    action.sa_flags = flags;
    sigaction(SIGCHLD, &action, &before_);
  }
  ChildSignals(const ChildSignals&) = delete;
  ChildSignals& operator=(const ChildSignals&) = delete;
  ~ChildSignals() { sigaction(SIGCHLD, &before_, nullptr); }

 private:
  struct sigaction before_ {};
};

void reap_every_child(int) {
  const int error = errno;
  while (waitpid(-1, nullptr, WNOHANG) > 0) {
  }
  errno = error;
}

/// What is said of a command: its end, or the error.
template <class S>
std::string end_of(const std::string& script) {
  try {
    const ProcessResult result = shell<S>(script);
    return std::to_string(static_cast<int>(result.end)) + " " + std::to_string(result.code);
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace

TEMPLATE_TEST_CASE("an end that was not seen is an error and never a success", "[tools]", Rlimits,
                   Bubblewrap) {
  if (!runs_here<TestType>()) return;
  const std::string success = end_of<TestType>("exit 0");
  for (const int flags : {0, SA_NOCLDWAIT})
    for (const char* script : {"exit 3", "kill -9 $$", "exit 0"}) {
      const ChildSignals ignored(flags == 0 ? SIG_IGN : SIG_DFL, flags);
      CHECK_THAT(end_of<TestType>(script), ContainsSubstring("SIGCHLD"));
    }
  for (const char* script : {"exit 3", "kill -9 $$"}) {
    const ChildSignals reaped(reap_every_child, SA_RESTART);
    CHECK(end_of<TestType>(script) != success);  // its status, or an error
  }
  CHECK(end_of<TestType>("exit 3") == "0 3");
}

TEST_CASE("what needs no status works while SIGCHLD is ignored", "[tools]") {
  const bool works = bubblewrap_works();
  {
    const ChildSignals ignored(SIG_IGN, 0);
    const PythonInterpreter<Rlimits> python{{.sandbox = small<Rlimits>(20.0), .interpreters = 1}};
    CHECK(python.run("raise SystemExit(3)") == "[exit status 3]");
    std::string why;
    CHECK_FALSE(bubblewrap_works(&why));
    CHECK_THAT(why, ContainsSubstring("SIGCHLD"));
  }
  CHECK(bubblewrap_works() == works);
}

TEST_CASE("limits under which no command can do anything are refused", "[tools]") {
  const auto refusal = [](SandboxLimits limits) {
    return error_of([&] { SandboxedCommand<Bubblewrap>{{.limits = limits}}; });
  };
  for (const double seconds : {0.0, -1.0, std::nan(""), std::numeric_limits<double>::infinity()})
    CHECK_THAT(refusal({.wall_seconds = seconds}), ContainsSubstring("wall_seconds is"));
  CHECK_THAT(refusal({.cpu_seconds = 0}), ContainsSubstring("cpu_seconds is 0 (SandboxLimits)"));
  CHECK_THAT(refusal({.memory_bytes = 0}), ContainsSubstring("memory_bytes is 0"));
  CHECK_THAT(refusal({.max_processes = 0}), ContainsSubstring("max_processes is 0"));
  CHECK_THAT(refusal({.file_bytes = 0}), ContainsSubstring("file_bytes is 0"));
  CHECK_THAT(refusal({.output_bytes = 0}), ContainsSubstring("output_bytes is 0"));
  CHECK(refusal({}) == "no error");
}

TEST_CASE("what exec would cut off is refused before a sandboxed process is started", "[tools]") {
  const std::string cut("a\0b", 3);
  CHECK_THAT(error_of([&] {
               SandboxedCommand<Rlimits>(small<Rlimits>())({"echo", cut});
             }),
             ContainsSubstring("the command's word 1 has a NUL byte at byte 1"));
  Rlimits elsewhere = small<Rlimits>();
  elsewhere.folder += std::string("\0x", 2);
  CHECK_THAT(error_of([&] { SandboxedCommand<Rlimits>{elsewhere}({"echo"}); }),
             ContainsSubstring("folder has a NUL byte"));
}
