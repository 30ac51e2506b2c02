#pragma once

/// Definitions of sandboxed_process.hpp; see core/compiled.hpp.

#include "dualagent/tools/sandboxed_process.hpp"

namespace dualagent {

DUALAGENT_INLINE ProcessResult SandboxedProcess::communicate(std::string_view input,
                                                             const std::stop_token& cancel) {
  ProcessResult result;
  const bool ended = detail::ProcessIo(std::move(input_), std::move(output_), limits_)
                         .run(input, child_.pidfd.get(), cancel, result);
  const std::string command = launch_.argv.at(0);
  const std::optional<int> status = stop();
  if (!ended) return result;
  if (!status) detail::throw_status_lost(command);
  result.set_status(*status);
  // bwrap and shells report a signal N of their child as status 128 + N.
  if (launch_.reports_namespace && result.code > 128 && result.code < 128 + NSIG) {
    result.end = ProcessEnd::signalled;
    result.code -= 128;
  }
  return result;
}

DUALAGENT_INLINE std::optional<int> SandboxedProcess::stop() {
  std::optional<int> status;
  if (child_.pid > 0) {
    if (namespace_.get() >= 0) {
      syscall(SYS_pidfd_send_signal, namespace_.get(), SIGKILL, nullptr, 0);
      detail::wait_for_end(namespace_.get());  // after all processes of the namespace
      pollfd monitor{child_.pidfd.get(), POLLIN, 0};
      poll(&monitor, 1, 1000);  // bwrap reaps that process and ends
    }
    kill(-child_.pid, SIGKILL);
    kill(child_.pid, SIGKILL);
    status = detail::reap(std::exchange(child_.pid, -1));
    if (launch_.user) {
      detail::kill_user(*launch_.user);
      detail::forget_keys(*launch_.user);
    }
    if (!launch_.user && !launch_.marker.empty()) detail::kill_marked(launch_.marker);
  }
  input_.close();
  output_.close();
  if (!launch_.private_folder.empty())
    detail::remove_private_folder(std::exchange(launch_.private_folder, {}));
  launch_.user.reset();
  return status;
}

DUALAGENT_INLINE void SandboxedProcess::start(StandardInput input) {
  require_no_nul(launch_.argv, "the command's word", "a process in a sandbox");
  require_no_nul(launch_.environment, "the environment's entry", "a process in a sandbox");
  require_no_nul(launch_.directory, "directory", "a process in a sandbox");
  detail::Pipe in, out, info;
  detail::SocketPair messages;
  if (input == StandardInput::socket) {
    in.read = std::move(messages.theirs);
    in.write = std::move(messages.ours);
  }
  detail::ChildPlan plan = plan_child();
  {
    // Numbers above 3, so that no dup2 in the child overwrites one that it still needs; closed
    // here before anything is read, so that a pipe ends when the child does.
    const detail::FileDescriptor ends[] = {high(in.read), high(out.write), high(info.write)};
    plan.descriptors = {ends[0].get(), ends[1].get(), ends[1].get(),
                        launch_.reports_namespace ? ends[2].get() : -1};
    child_ = detail::clone_child(&detail::run_child, &plan);
  }
  if (plan.error != 0)
    throw Error(std::string(plan.failed_step) + " failed: " + std::strerror(plan.error),
                launch_.argv.at(0), "Check that the program exists and may be started");
  input_ = std::move(in.write);
  output_ = std::move(out.read);
  if (launch_.reports_namespace) open_namespace(info);
}

DUALAGENT_INLINE detail::ChildPlan SandboxedProcess::plan_child() {
  detail::ChildPlan plan{.directory = launch_.directory.c_str(),
                         .limits = limits_,
                         .max_user_tasks = launch_.max_user_tasks,
                         .has_uid = launch_.user != nullptr,
                         .uid = launch_.user ? *launch_.user : 0,
                         .host = getpid()};
  for (std::string& word : launch_.argv) plan.argv.push_back(word.data());
  for (std::string& entry : launch_.environment) plan.environment.push_back(entry.data());
  plan.argv.push_back(nullptr);
  plan.environment.push_back(nullptr);
  return plan;
}

DUALAGENT_INLINE detail::FileDescriptor SandboxedProcess::high(const detail::FileDescriptor& fd) {
  const int copy = fcntl(fd.get(), F_DUPFD_CLOEXEC, 4);
  if (copy < 0) detail::throw_errno("fcntl", errno);
  return detail::FileDescriptor(copy);
}

DUALAGENT_INLINE void SandboxedProcess::open_namespace(detail::Pipe& info) {
  info.write.close();
  std::string text;
  for (char byte = 0; text.find('}') == std::string::npos;) {
    const ssize_t count = read(info.read.get(), &byte, 1);
    if (count == 1) text += byte;
    if (count == 0 || (count < 0 && errno != EINTR)) return;  // bwrap says why on its output
  }
  constexpr std::string_view kKey = "\"child-pid\":";
  const std::size_t at = text.find(kKey);
  if (at == std::string::npos) return;
  const long pid = std::atol(text.c_str() + at + kKey.size());
  namespace_ = detail::FileDescriptor(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
}

DUALAGENT_INLINE bool bubblewrap_works(std::string* why) {
  if (detail::child_statuses_are_lost()) {
    if (why != nullptr) *why = "this program ignores SIGCHLD: the trial's end cannot be seen";
    return false;
  }
  static const std::string problem = []() -> std::string {
    try {
      const ProcessResult trial = SandboxedCommand<Bubblewrap>{}({"/usr/bin/env", "true"});
      if (trial.end == ProcessEnd::exited && trial.code == 0) return {};
      return "bwrap failed: " + trial.output;
    } catch (const std::exception& error) {
      return error.what();
    }
  }();
  if (why != nullptr) *why = problem;
  return problem.empty();
}

}  // namespace dualagent
