#pragma once

#include <poll.h>
#include <signal.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "dualagent/core/compiled.hpp"
#include "dualagent/io/atomic_file.hpp"

namespace dualagent {

/// How a process ended.
struct LaunchedEnd {
  pid_t process = 0;
  int status = 0;  ///< its exit status, or 128 + the signal that killed it, as shells count
  int signal = 0;  ///< that killed it; 0: it ended by itself
  std::vector<std::string> last_words{};

  /// E.g. "ended with status 1", "was killed by signal 9 (Killed)".
  std::string text() const;
};

}  // namespace dualagent

namespace dualagent::detail {

/// A program that was started as a child, in a process group of its own, without standard input;
/// its lines are read here. It is told to end (SIGTERM) if the thread that started it dies. Errors:
/// Error if processes cannot be made; a program that cannot be run ends with status 127.
class LaunchedProcess {
 public:
  LaunchedProcess(const std::vector<std::string>& command, std::vector<std::string> environment);
  LaunchedProcess(LaunchedProcess&&) = default;
  ~LaunchedProcess();

  bool ended() const { return ended_; }
  const LaunchedEnd& end() const { return end_; }
  void signal(int number) const {
    if (!ended_) ::kill(-end_.process, number);
  }

  /// What to look for: its end and its two streams; -1 for what is over.
  void add_to(std::vector<pollfd>& polled) const;
  /// What `add_to` was told; `on_line(is_error, line)` gets whole lines.
  template <class OnLine>
  void look(const pollfd* polled, std::size_t last_lines, const OnLine& on_line) {
    for (int i = 0; i < 2; ++i)
      if (polled[1 + i].revents != 0) read(streams_[i], i == 1, last_lines, on_line);
    if (polled[0].revents == 0) return;
    reap();
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
                                  const FileDescriptor (&writers)[2], pid_t parent);
  void reap();

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
std::vector<std::string> environment_with(const std::vector<std::string>& changes);

/// Catches SIGINT, SIGTERM and SIGHUP while it lives.
class CaughtSignals {
 public:
  CaughtSignals();
  ~CaughtSignals();
  int file() const { return file_.get(); }
  /// 0 if none came.
  int next() const;

 private:
  sigset_t before_{};
  FileDescriptor file_;
};

}  // namespace dualagent::detail

#ifndef DUALAGENT_COMPILED
#include "dualagent/collective/launched_process.inl"
#endif
