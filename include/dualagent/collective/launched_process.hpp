#pragma once

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dualagent/core/error.hpp"
#include "dualagent/io/atomic_file.hpp"

namespace dualagent {

/// How a process ended.
struct LaunchedEnd {
  pid_t process = 0;
  int status = 0;  ///< its exit status, or 128 + the signal that killed it, as shells count
  std::vector<std::string> last_words{};

  /// E.g. "ended with status 1", "was killed by signal 9 (Killed)".
  std::string text() const {
    if (status <= 128) return "ended with status " + std::to_string(status);
    const int signal = status - 128;
    return "was killed by signal " + std::to_string(signal) + " (" + strsignal(signal) + ")";
  }
};

}  // namespace dualagent

namespace dualagent::detail {

/// A program that was started as a child, in a process group of its own, without standard input;
/// its lines are read here. It is told to end (SIGTERM) if the thread that started it dies. Errors:
/// Error if processes cannot be made; a program that cannot be run ends with status 127.
class LaunchedProcess {
 public:
  LaunchedProcess(const std::vector<std::string>& command, std::vector<std::string> environment) {
    std::vector<char*> arguments, variables;
    for (const std::string& one : command) arguments.push_back(const_cast<char*>(one.c_str()));
    for (const std::string& one : environment) variables.push_back(const_cast<char*>(one.c_str()));
    arguments.push_back(nullptr);
    variables.push_back(nullptr);
    FileDescriptor writers[2];
    for (int i = 0; i < 2; ++i) {
      int ends[2];
      if (::pipe2(ends, O_CLOEXEC) != 0) throw_file_error("make", "a pipe", errno);
      streams_[i].reader = FileDescriptor(ends[0]);
      writers[i] = FileDescriptor(ends[1]);
    }
    const pid_t parent = ::getpid();
    end_.process = ::fork();
    if (end_.process < 0) throw_file_error("start", command[0], errno);
    if (end_.process == 0) become(arguments, variables, writers, parent);
    ::setpgid(end_.process, end_.process);  // as the child does: who comes first
    pidfd_ = FileDescriptor(static_cast<int>(::syscall(SYS_pidfd_open, end_.process, 0)));
    if (pidfd_.get() < 0) {
      const int error = errno;
      ::kill(-end_.process, SIGKILL);
      ::waitpid(end_.process, nullptr, 0);
      throw_file_error("watch", command[0], error);
    }
  }
  LaunchedProcess(LaunchedProcess&&) = default;
  ~LaunchedProcess() {
    if (pidfd_.get() < 0 || ended_) return;  // moved from, or reaped
    signal(SIGKILL);
    ::waitpid(end_.process, nullptr, 0);
  }

  bool ended() const { return ended_; }
  const LaunchedEnd& end() const { return end_; }
  void signal(int number) const {
    if (!ended_) ::kill(-end_.process, number);
  }

  /// What to look for: its end and its two streams; -1 for what is over.
  void add_to(std::vector<pollfd>& polled) const {
    polled.push_back({ended_ ? -1 : pidfd_.get(), POLLIN, 0});
    for (const Stream& stream : streams_) polled.push_back({stream.reader.get(), POLLIN, 0});
  }
  /// What `add_to` was told; `on_line(is_error, line)` gets whole lines.
  template <class OnLine>
  void look(const pollfd* polled, std::size_t last_lines, const OnLine& on_line) {
    for (int i = 0; i < 2; ++i)
      if (polled[1 + i].revents != 0) read(streams_[i], i == 1, last_lines, on_line);
    if (polled[0].revents == 0) return;
    int status = 0;
    if (::waitpid(end_.process, &status, WNOHANG) != end_.process) return;
    ended_ = true;
    end_.status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }
  bool is_over() const {
    return ended_ && streams_[0].reader.get() < 0 && streams_[1].reader.get() < 0;
  }
  /// What it wrote before it ended and is not read yet, then nothing more.
  template <class OnLine>
  void read_rest(std::size_t last_lines, const OnLine& on_line) {
    for (int i = 0; i < 2; ++i) {
      pollfd waiting{streams_[i].reader.get(), POLLIN, 0};
      while (streams_[i].reader.get() >= 0 && ::poll(&waiting, 1, 0) > 0)
        read(streams_[i], i == 1, last_lines, on_line);
    }
    close_streams();
  }
  /// Stops to read: a child of the program may keep a stream open for ever.
  void close_streams() {
    for (Stream& stream : streams_) stream.reader.close();
  }

 private:
  struct Stream {
    FileDescriptor reader;
    std::string line;  // that is not whole yet
  };

  [[noreturn]] static void become(const std::vector<char*>& arguments,
                                  const std::vector<char*>& variables,
                                  const FileDescriptor (&writers)[2], pid_t parent) {
    ::setpgid(0, 0);  // Ctrl-C reaches it through us, once
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent) ::_exit(127);
    const int nothing = ::open("/dev/null", O_RDONLY);
    ::dup2(nothing, 0);
    ::dup2(writers[0].get(), 1);
    ::dup2(writers[1].get(), 2);
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGCHLD}) ::signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::execvpe(arguments[0], arguments.data(), variables.data());
    const char* const words = std::strerror(errno);
    for (const char* const text :
         {"cannot run ", static_cast<const char*>(arguments[0]), ": ", words, "\n"})
      if (::write(2, text, std::strlen(text)) < 0) break;
    ::_exit(127);
  }

  template <class OnLine>
  void read(Stream& stream, bool is_error, std::size_t last_lines, const OnLine& on_line) {
    char bytes[4096];
    const ssize_t count = ::read(stream.reader.get(), bytes, sizeof bytes);
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (count > 0) stream.line.append(bytes, static_cast<std::size_t>(count));
    const auto give = [&](std::string line) {
      on_line(is_error, line);
      end_.last_words.push_back(std::move(line));
      if (end_.last_words.size() > last_lines) end_.last_words.erase(end_.last_words.begin());
    };
    for (std::size_t at; (at = stream.line.find_first_of("\n\r")) != std::string::npos;) {
      if (at > 0) give(stream.line.substr(0, at));
      stream.line.erase(0, at + 1);
    }
    if (count > 0) return;
    if (!stream.line.empty()) give(std::exchange(stream.line, {}));
    stream.reader.close();
  }

  LaunchedEnd end_;
  bool ended_ = false;
  FileDescriptor pidfd_;
  Stream streams_[2];  // standard output, standard error
};

/// This process's environment, with `changes` ("NAME=value") in the place of what it says.
inline std::vector<std::string> environment_with(const std::vector<std::string>& changes) {
  std::vector<std::string> all = changes;
  for (char** one = environ; *one != nullptr; ++one) {
    const std::string_view variable(*one);
    const std::string_view name = variable.substr(0, variable.find('=') + 1);
    if (std::ranges::none_of(changes, [&](const std::string& c) { return c.starts_with(name); }))
      all.emplace_back(variable);
  }
  return all;
}

/// Catches SIGINT, SIGTERM and SIGHUP while it lives.
class CaughtSignals {
 public:
  CaughtSignals() {
    sigset_t caught;
    sigemptyset(&caught);
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&caught, number);
    ::pthread_sigmask(SIG_BLOCK, &caught, &before_);
    file_ = FileDescriptor(::signalfd(-1, &caught, SFD_CLOEXEC | SFD_NONBLOCK));
  }
  ~CaughtSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  int file() const { return file_.get(); }
  /// 0 if none came.
  int next() const {
    signalfd_siginfo info{};
    return ::read(file_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)
               ? static_cast<int>(info.ssi_signo)
               : 0;
  }

 private:
  sigset_t before_{};
  FileDescriptor file_;
};

}  // namespace dualagent::detail
