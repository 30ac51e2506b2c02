#pragma once

/// Definitions of launched_process.hpp; see core/compiled.hpp.

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "dualagent/collective/launched_process.hpp"
#include "dualagent/core/check.hpp"
#include "dualagent/core/error.hpp"

namespace dualagent {

DUALAGENT_INLINE std::string LaunchedEnd::text() const {
  if (signal == 0) return "ended with status " + std::to_string(status);
  return "was killed by signal " + std::to_string(signal) + " (" + strsignal(signal) + ")";
}

}  // namespace dualagent

namespace dualagent::detail {

DUALAGENT_INLINE LaunchedProcess::LaunchedProcess(const std::vector<std::string>& command,
                                                  std::vector<std::string> environment) {
  require_no_nul(command, "the command's word", "a process to start");
  require_no_nul(environment, "the environment's entry", "a process to start");
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

DUALAGENT_INLINE LaunchedProcess::~LaunchedProcess() {
  if (pidfd_.get() < 0 || ended_) return;  // moved from, or reaped
  signal(SIGKILL);
  ::waitpid(end_.process, nullptr, 0);
}

DUALAGENT_INLINE void LaunchedProcess::add_to(std::vector<pollfd>& polled) const {
  polled.push_back({ended_ ? -1 : pidfd_.get(), POLLIN, 0});
  for (const Stream& stream : streams_) polled.push_back({stream.reader.get(), POLLIN, 0});
}

DUALAGENT_INLINE void LaunchedProcess::reap() {
  int status = 0;
  if (::waitpid(end_.process, &status, WNOHANG) != end_.process) return;
  ended_ = true;
  end_.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  end_.status = end_.signal != 0 ? 128 + end_.signal : WEXITSTATUS(status);
}

[[noreturn]] DUALAGENT_INLINE void LaunchedProcess::become(const std::vector<char*>& arguments,
                                                           const std::vector<char*>& variables,
                                                           const FileDescriptor (&writers)[2],
                                                           pid_t parent) {
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

DUALAGENT_INLINE std::vector<std::string> environment_with(
    const std::vector<std::string>& changes) {
  std::vector<std::string> all = changes;
  for (char** one = environ; *one != nullptr; ++one) {
    const std::string_view variable(*one);
    const std::string_view name = variable.substr(0, variable.find('=') + 1);
    if (std::ranges::none_of(changes, [&](const std::string& c) { return c.starts_with(name); }))
      all.emplace_back(variable);
  }
  return all;
}

DUALAGENT_INLINE CaughtSignals::CaughtSignals() {
  sigset_t caught;
  sigemptyset(&caught);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&caught, number);
  ::pthread_sigmask(SIG_BLOCK, &caught, &before_);
  file_ = FileDescriptor(::signalfd(-1, &caught, SFD_CLOEXEC | SFD_NONBLOCK));
  if (file_.get() >= 0) return;
  const int error = errno;
  ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  throw_file_error("watch for", "signals", error);
}
DUALAGENT_INLINE CaughtSignals::~CaughtSignals() {
  ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

DUALAGENT_INLINE int CaughtSignals::next() const {
  signalfd_siginfo info{};
  return ::read(file_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)
             ? static_cast<int>(info.ssi_signo)
             : 0;
}

}  // namespace dualagent::detail
