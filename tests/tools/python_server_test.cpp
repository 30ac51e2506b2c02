#include "dualagent/tools/python_server.hpp"

#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/python_servers.hpp"
#include "support/sandboxes.hpp"

using namespace dualagent;
using namespace dualagent::detail;

namespace {

/// "exited 0: OUTPUT" or "signalled 9: OUTPUT".
std::string told(const ProcessResult& result) {
  return (result.end == ProcessEnd::exited ? "exited " : "signalled ") +
         std::to_string(result.code) + ": " + result.output;
}

}  // namespace

TEST_CASE("the server's program is Python in a file of its own, between the marks of a string",
          "[tools]") {
  CHECK(kPythonServer.starts_with("#\"\"\"\n"));  // a comment to Python
  CHECK(kPythonServer.ends_with("\n#"));
  CHECK(kPythonServer.find("\ndef serve(owns_all, cpu_seconds):\n") != std::string_view::npos);
}

TEST_CASE("a descriptor goes through a socket with its letter", "[tools]") {
  SocketPair sockets;
  Pipe pipe;
  REQUIRE(send_descriptors(sockets.ours.get(), 'p', std::array{pipe.write.get()}));
  std::array<char, 4> letter{};
  iovec text{letter.data(), letter.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> space{};
  msghdr message{};
  message.msg_iov = &text;
  message.msg_iovlen = 1;
  message.msg_control = space.data();
  message.msg_controllen = space.size();
  REQUIRE(recvmsg(sockets.theirs.get(), &message, 0) == 1);
  CHECK(letter[0] == 'p');
  REQUIRE(CMSG_FIRSTHDR(&message) != nullptr);
  int received = -1;
  std::memcpy(&received, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof received);
  const FileDescriptor copy(received);
  CHECK(write(copy.get(), "x", 1) == 1);
  char byte = 0;
  CHECK(read(pipe.read.get(), &byte, 1) == 1);
  CHECK(byte == 'x');
}

TEST_CASE("a side that is gone is told from a silent one", "[tools]") {
  SocketPair sockets;
  std::array<char, 5> bytes{};
  CHECK(send(sockets.theirs.get(), "abc", 3, 0) == 3);
  CHECK(receive_message(sockets.ours.get(), bytes) == 3);
  sockets.theirs.close();
  CHECK(receive_message(sockets.ours.get(), bytes) == 0);
  CHECK_FALSE(send_descriptors(sockets.ours.get(), 'p', std::array{0}));  // and no SIGPIPE
}

TEST_CASE("programs of one server share no names and no files", "[tools]") {
  if (!runs_here<Bubblewrap>()) return;
  PythonServer server(Bubblewrap{.limits = kLimits}, kPython);
  CHECK(server.waits());
  CHECK(told(server.run("x = 41\nopen('f', 'w').write('1')\nprint(x + 1)", {})) ==
        "exited 0: 42\n");
  CHECK(server.reusable());
  CHECK_THAT(told(server.run("print(x)", {})),
             ContainsSubstring("exited 1: Traceback") && ContainsSubstring("NameError"));
  CHECK(told(server.run("import os\nprint(os.listdir('.'))", {})) == "exited 0: []\n");
  CHECK(told(server.run("raise SystemExit(7)", {})) == "exited 7: ");
  CHECK(told(server.run("import os\nos.kill(os.getpid(), 9)", {})) == "signalled 9: ");
  CHECK(server.reusable());
  CHECK_FALSE(server.ended());
}

TEST_CASE("a server whose sandbox keeps a trace is not used again", "[tools]") {
  if (!runs_here<Bubblewrap>()) return;
  PythonServer server(Bubblewrap{.limits = kLimits}, kPython);
  CHECK(told(server.run("import os\nos.mkdir('kept')", {})) == "exited 0: ");
  CHECK_FALSE(server.reusable());
  CHECK(server.ended());
}

TEST_CASE("a session keeps names until it ends", "[tools]") {
  PythonServer server(Rlimits{.limits = kLimits}, kPython);
  CHECK(told(server.run_in_session("x = 1", {})) == "exited 0: ");
  CHECK_FALSE(server.reusable());
  CHECK(told(server.run_in_session("x += 1\nprint(x)", {})) == "exited 0: 2\n");
  CHECK_THAT(told(server.run_in_session("print(y)", {})), ContainsSubstring("exited 1: Traceback"));
  CHECK(told(server.run_in_session("print(x)", {})) == "exited 0: 2\n");  // an error ends nothing
  CHECK(told(server.run_in_session("import os\nos._exit(3)", {})) == "exited 3: ");
  CHECK(server.ended());
}

TEST_CASE("a stop request ends a program and its server", "[tools]") {
  PythonServer server(Rlimits{.limits = kLimits}, kPython);
  std::stop_source stop;
  stop.request_stop();
  CHECK(server.run("while True: pass", stop.get_token()).end == ProcessEnd::cancelled);
  CHECK(server.ended());
  CHECK_FALSE(server.reusable());
}

TEST_CASE("a server that does not start says what it printed", "[tools]") {
  const std::string error = error_of([] {
    PythonServer(Rlimits{.limits = kLimits}, {"/bin/echo", "no", "snakes"});
  });
  CHECK_THAT(error, ContainsSubstring("does not start") && ContainsSubstring("no snakes"));
}
