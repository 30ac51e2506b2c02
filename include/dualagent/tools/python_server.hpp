#pragma once

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dualagent/core/error.hpp"
#include "dualagent/tools/child_process.hpp"
#include "dualagent/tools/process_io.hpp"
#include "dualagent/tools/sandbox.hpp"
#include "dualagent/tools/sandboxed_process.hpp"
#include "dualagent/tools/tool.hpp"

namespace dualagent::detail {

/// Takes the server's program from standard input. As an argument of -c, its text would be kept
/// several times, its syntax tree once, and every fork would copy their pages.
inline constexpr const char* kPythonLoader =
    "import os; exec(compile(os.read(0, 65536), 'server', 'exec'))";

/// The server's program, which describes its messages.
inline constexpr std::string_view kPythonServer =
#include "dualagent/tools/python_server.py"
    ;

static_assert(kPythonServer.size() < 65536, "kPythonLoader reads one message of that size");

/// Sends one letter and some descriptors over a socket of messages. False if nobody is there.
template <std::size_t N>
bool send_descriptors(int socket, char letter, const std::array<int, N>& descriptors) {
  iovec text{&letter, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * N)> space{};
  msghdr message{};
  message.msg_iov = &text;
  message.msg_iovlen = 1;
  message.msg_control = space.data();
  message.msg_controllen = space.size();
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int) * N);
  std::memcpy(CMSG_DATA(header), descriptors.data(), sizeof(int) * N);
  ssize_t sent = -1;
  do sent = sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  while (sent < 0 && errno == EINTR);
  return sent == 1;
}

/// One message of at most N bytes; the number of bytes, 0 if the other side is gone.
template <std::size_t N>
std::size_t receive_message(int socket, std::array<char, N>& bytes) {
  ssize_t count = -1;
  do count = recv(socket, bytes.data(), N, 0);
  while (count < 0 && errno == EINTR);
  return count > 0 ? static_cast<std::size_t>(count) : 0;
}

/// A Python interpreter in a sandbox of its own that forks a child for every program.
///
/// The programs of one server share its sandbox one after the other, never at the same time. They
/// cannot reach the server: it is not dumpable and, under Bubblewrap, process 1. After each it
/// kills every process left, empties the working folder and /dev/shm and looks for other traces; if
/// it finds any, it ends, and `reusable` is false.
/// Errors: AbortRollout if the interpreter cannot be started.
class PythonServer {
 public:
  template <class S>
  PythonServer(const S& sandbox, const std::vector<std::string>& python)
      : PythonServer(sandbox.launch(command(sandbox.limits, python, "1"), SandboxRole::server),
                     sandbox.limits) {}

  /// Whether the next program finds nothing of the last one.
  bool reusable() const { return reusable_; }
  bool ended() const { return ended_; }
  /// Whether it still waits for its next program; else something outside has ended it.
  bool waits() const { return !message_within(0); }

  /// Runs one program from its first byte to the end of its last process.
  ProcessResult run(std::string_view code, const std::stop_token& cancel) {
    ProcessResult result;
    if (!converse(process_.socket(), code, process_.socket(), cancel, result)) return result;
    take_status(result);
    return result;
  }

  /// Runs one program of a session: names that it defines are there for the next. What ends the
  /// session (`os._exit`, a limit, a crash) ends the server. A server of a session is not reusable.
  ProcessResult run_in_session(std::string_view code, const std::stop_token& cancel) {
    ProcessResult result;
    if (session_.get() < 0) begin_session();
    if (!converse(session_.get(), code, session_.get(), cancel, result)) return result;
    std::array<char, 1> status{};
    if (receive_message(session_.get(), status) == 1) {
      result.code = static_cast<unsigned char>(status[0]);
      return result;
    }
    if (message_within(1000))
      take_status(result);  // it ended, or only closed its socket
    else
      result.set_status(SIGKILL);
    end();
    return result;
  }

 private:
  PythonServer(SandboxLaunch launch, const SandboxLimits& limits)
      : limits_(limits), process_(with_ownership(launch), limits, StandardInput::socket) {
    send(process_.socket(), kPythonServer.data(), kPythonServer.size(), MSG_NOSIGNAL);
    std::array<char, 1> letter{};
    if (!message_within(60'000) || receive_message(process_.socket(), letter) != 1)
      throw AbortRollout("the interpreter does not start: " + first_output(), "python tool",
                         "Check PythonOptions::python and the sandbox's limits");
  }

  static std::vector<std::string> command(const SandboxLimits& limits,
                                          std::vector<std::string> python, const char* owns_all) {
    python.insert(python.end(),
                  {"-c", kPythonLoader, owns_all, std::to_string(limits.cpu_seconds)});
    // Symbols are bound once in the server and not once in every fork. Without random hashes the
    // order of a set of texts is the same in every interpreter.
    python.insert(python.begin(), {"/usr/bin/env", "LD_BIND_NOW=1", "PYTHONHASHSEED=0"});
    return python;
  }

  /// A server that does not own all processes it sees must kill none.
  static SandboxLaunch with_ownership(SandboxLaunch& launch) {
    if (!launch.owns_all_processes) launch.argv.at(launch.argv.size() - 2) = "0";
    return std::move(launch);
  }

  std::string first_output() {
    std::array<char, 2000> bytes{};
    fcntl(process_.output(), F_SETFL, O_NONBLOCK);
    const ssize_t count = read(process_.output(), bytes.data(), bytes.size());
    return count > 0 ? std::string(bytes.data(), static_cast<std::size_t>(count)) : "it is silent";
  }

  /// False if the program was killed, and the server with it.
  bool converse(int socket, std::string_view code, int ended, const std::stop_token& cancel,
                ProcessResult& result) {
    Pipe in, out;
    const bool sent = send_descriptors(socket, 'p', std::array{in.read.get(), out.write.get()});
    if (!sent && socket == process_.socket()) {
      end();
      throw AbortRollout("a waiting interpreter has ended", "python tool",
                         "Look for what kills processes on this machine, e.g. for want of memory");
    }
    in.read.close();
    out.write.close();
    const bool done = ProcessIo(std::move(in.write), std::move(out.read), limits_)
                          .run(code, ended, cancel, result);
    if (!done) end();
    return done;
  }

  /// Whether the server says something, or is gone, within that time.
  bool message_within(int milliseconds) const {
    pollfd message{process_.socket(), POLLIN, 0};
    int count = -1;
    do count = poll(&message, 1, milliseconds);
    while (count < 0 && errno == EINTR);
    return count > 0;
  }

  void begin_session() {
    SocketPair channel;
    send_descriptors(process_.socket(), 's', std::array{channel.theirs.get()});
    session_ = std::move(channel.ours);
    reusable_ = false;
  }

  /// The wait status of the child, or of a server that the program managed to end.
  void take_status(ProcessResult& result) {
    std::array<char, 5> message{};
    if (receive_message(process_.socket(), message) == 5) {
      int status = 0;
      std::memcpy(&status, message.data(), sizeof status);
      result.set_status(status);
    } else {
      result.set_status(SIGKILL);
    }
    if (message[4] != 1) end();
  }

  void end() {
    process_.stop();
    reusable_ = false;
    ended_ = true;
  }

  SandboxLimits limits_;
  SandboxedProcess process_;
  FileDescriptor session_;
  bool reusable_ = true;
  bool ended_ = false;
};

}  // namespace dualagent::detail
