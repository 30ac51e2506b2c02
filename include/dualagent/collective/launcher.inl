#pragma once

/// Definitions of launcher.hpp; see core/compiled.hpp.

#include "dualagent/collective/launcher.hpp"

namespace dualagent {

DUALAGENT_INLINE void LaunchOptions::validate() const {
  require_option(ranks, {1, 4096}, "ranks", "LaunchOptions");
  require_option(grace_seconds, kNotNegative, "grace_seconds", "LaunchOptions");
}

DUALAGENT_INLINE std::string RankEnd::text() const {
  if (status <= 128) return "ended with status " + std::to_string(status);
  const int signal = status - 128;
  return "was killed by signal " + std::to_string(signal) + " (" + strsignal(signal) + ")";
}

DUALAGENT_INLINE std::string LaunchOutcome::text() const {
  std::vector<std::size_t> order;
  if (first_failed) order.push_back(*first_failed);
  for (std::size_t rank = 0; rank < ranks.size(); ++rank)
    if (rank != first_failed) order.push_back(rank);
  std::string text;
  for (const std::size_t rank : order) {
    const RankEnd& end = ranks[rank];
    text += "rank " + std::to_string(rank) + " (process " + std::to_string(end.process) + ") " +
            end.text() + (rank == first_failed && ranks.size() > 1 ? ", first\n" : "\n");
    if (end.status != 0)
      for (const std::string& line : end.last_words) text += "    " + line + "\n";
  }
  return text;
}

}  // namespace dualagent

namespace dualagent::detail {

/// A rank that `launch_ranks` has started.
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
  const RankEnd& end() const { return end_; }
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
  /// Stops to read: a child of the rank may keep a stream open for ever.
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

  RankEnd end_;
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

namespace dualagent {

DUALAGENT_INLINE LaunchOutcome launch_ranks(const std::vector<std::string>& command,
                                            const LaunchOptions& options) {
  using Clock = std::chrono::steady_clock;
  options.validate();
  if (command.empty()) throw Error("there is no program to run", "launch_ranks");
  const detail::CaughtSignals signals;
  const std::string run = "launch-" + detail::fresh_word();
  const std::string port = std::to_string(RendezvousListener(0).port() - 1);
  const std::string size = std::to_string(options.ranks);
  std::vector<detail::LaunchedProcess> processes;
  processes.reserve(options.ranks);
  for (std::size_t rank = 0; rank < options.ranks; ++rank)
    processes.emplace_back(
        command, detail::environment_with({"RANK=" + std::to_string(rank), "WORLD_SIZE=" + size,
                                           "LOCAL_RANK=" + std::to_string(rank),
                                           "LOCAL_WORLD_SIZE=" + size, "MASTER_ADDR=127.0.0.1",
                                           "MASTER_PORT=" + port, "DUALAGENT_RUN=" + run}));
  LaunchOutcome outcome;
  std::optional<Clock::time_point> limit;  // when the next signal is due
  bool asked_to_end = false, told_to_end = false;
  const auto pass_on = [&](int number) {
    for (const detail::LaunchedProcess& process : processes) process.signal(number);
  };
  const auto grace = std::chrono::duration_cast<Clock::duration>(
      std::chrono::duration<double>(options.grace_seconds));
  const auto all = [&](auto is) { return std::ranges::all_of(processes, is); };
  while (!all([](const auto& process) { return process.is_over(); })) {
    std::vector<pollfd> polled{{signals.file(), POLLIN, 0}};
    for (const detail::LaunchedProcess& process : processes) process.add_to(polled);
    ::poll(polled.data(), polled.size(), limit ? 100 : -1);
    while (const int number = signals.next()) {
      asked_to_end = true;
      pass_on(number);
    }
    for (std::size_t rank = 0; rank < processes.size(); ++rank) {
      detail::LaunchedProcess& process = processes[rank];
      process.look(&polled[1 + 3 * rank], options.last_lines,
                   [&](bool is_error, const std::string& line) {
                     if (options.on_line) return options.on_line(rank, is_error, line);
                     std::fprintf(is_error ? stderr : stdout, "[%zu] %s\n", rank, line.c_str());
                     if (!is_error) std::fflush(stdout);
                   });
      if (!process.ended() || process.end().status == 0) continue;
      if (!outcome.first_failed) outcome.first_failed = rank;
      if (!asked_to_end && !limit) limit = Clock::now() + grace;
    }
    const bool all_ended = all([](const auto& process) { return process.ended(); });
    if (all_ended && !limit) limit = Clock::now() + grace;  // for what their children still hold
    if (!limit || Clock::now() < *limit) continue;
    if (all_ended)
      for (detail::LaunchedProcess& process : processes) process.close_streams();
    pass_on(std::exchange(told_to_end, true) ? SIGKILL : SIGTERM);
    limit = Clock::now() + grace;
  }
  for (const detail::LaunchedProcess& process : processes) outcome.ranks.push_back(process.end());
  return outcome;
}

}  // namespace dualagent
