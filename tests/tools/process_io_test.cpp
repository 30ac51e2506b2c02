#include "dualagent/tools/process_io.hpp"

#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>

#include "support/catch.hpp"

using namespace dualagent;
using namespace dualagent::detail;

namespace {

/// A program's ends of its pipes, held by the test, and a host that talks to it.
struct Conversation {
  explicit Conversation(SandboxLimits limits = {})
      : ended(eventfd(0, EFD_CLOEXEC)), io(std::move(in.write), std::move(out.read), limits) {}

  void print(const std::string& text) {
    REQUIRE(write(out.write.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }
  void end() { eventfd_write(ended.get(), 1); }
  bool run(std::string_view text, const std::stop_token& cancel = {}) {
    return io.run(text, ended.get(), cancel, result);
  }
  /// All that the program can read until its input ends; nothing if it does not end.
  std::string input() {
    std::string text(100, '\0');
    const ssize_t count = read(in.read.get(), text.data(), text.size());
    char more = 0;
    if (count < 0 || read(in.read.get(), &more, 1) != 0) return "not at its end";
    text.resize(static_cast<std::size_t>(count));
    return text;
  }

  Pipe in, out;
  FileDescriptor ended;
  ProcessIo io;
  ProcessResult result;
};

}  // namespace

TEST_CASE("a status says whether a program exited or was killed", "[tools]") {
  ProcessResult result;
  result.set_status(W_EXITCODE(3, 0));
  CHECK(result.end == ProcessEnd::exited);
  CHECK(result.code == 3);
  result.set_status(W_EXITCODE(0, SIGSEGV));
  CHECK(result.end == ProcessEnd::signalled);
  CHECK(result.code == SIGSEGV);
}

TEST_CASE("a program gets its input to the end and what it printed is read", "[tools]") {
  Conversation talk;
  talk.print("one\n");
  talk.print(std::string("t\0o", 3));
  talk.end();
  CHECK(talk.run("input"));
  CHECK(talk.result.output == std::string("one\nt\0o", 7));
  CHECK(talk.input() == "input");
}

TEST_CASE("no input is an input that is at its end", "[tools]") {
  Conversation talk;
  talk.end();
  CHECK(talk.run(""));
  CHECK(talk.input() == "");
  CHECK(talk.result.output == "");
}

TEST_CASE("output up to the limit is kept, one byte more ends the program", "[tools]") {
  Conversation exact(SandboxLimits{.output_bytes = 4});
  exact.print("1234");
  exact.end();
  CHECK(exact.run(""));
  CHECK(exact.result.output == "1234");
  Conversation more(SandboxLimits{.output_bytes = 4});
  more.print("12345");
  CHECK_FALSE(more.run(""));
  CHECK(more.result.end == ProcessEnd::output_limit);
  CHECK(more.result.output == "1234");
}

TEST_CASE("a stop request ends a program that does nothing", "[tools]") {
  Conversation talk;
  std::stop_source stop;
  stop.request_stop();
  CHECK_FALSE(talk.run("", stop.get_token()));
  CHECK(talk.result.end == ProcessEnd::cancelled);
}

TEST_CASE("the wall clock ends a program that does nothing, and keeps what it printed", "[tools]") {
  Conversation talk(SandboxLimits{.wall_seconds = 0.02});
  talk.print("begun");
  CHECK_FALSE(talk.run(""));
  CHECK(talk.result.end == ProcessEnd::wall_clock);
  CHECK(talk.result.output == "begun");
}

TEST_CASE("input that nobody reads neither blocks nor kills the host", "[tools]") {
  Conversation gone;
  gone.in.read.close();
  gone.end();
  CHECK(gone.run("input"));
  Conversation full;  // more than a pipe holds, and nobody reads
  full.end();
  CHECK(full.run(std::string(1 << 20, 'x')));
}
