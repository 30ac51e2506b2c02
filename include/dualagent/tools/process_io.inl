#pragma once

/// Definitions of process_io.hpp; see core/compiled.hpp.

#include "dualagent/tools/process_io.hpp"

namespace dualagent {

DUALAGENT_INLINE void ProcessResult::set_status(int status) {
  end = WIFSIGNALED(status) ? ProcessEnd::signalled : ProcessEnd::exited;
  code = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace dualagent

namespace dualagent::detail {

DUALAGENT_INLINE ProcessIo::ProcessIo(FileDescriptor input, FileDescriptor output,
                                      const SandboxLimits& limits)
    : input_(std::move(input)), output_(std::move(output)), limits_(limits) {
  for (const int fd : {input_.get(), output_.get()}) fcntl(fd, F_SETFL, O_NONBLOCK);
}

DUALAGENT_INLINE bool ProcessIo::run(std::string_view text, int ended,
                                     const std::stop_token& cancel, ProcessResult& result) {
  const NoPipeSignal quiet;
  const FileDescriptor wake(cancel.stop_possible() ? eventfd(0, EFD_CLOEXEC) : -1);
  if (cancel.stop_possible() && wake.get() < 0) throw_errno("eventfd", errno);
  const std::stop_callback on_cancel(cancel, [&] { eventfd_write(wake.get(), 1); });
  const auto start = Clock::now();
  const auto deadline = start + std::chrono::duration_cast<Clock::duration>(
                                    std::chrono::duration<double>(limits_.wall_seconds));
  for (;;) {
    write_input(text);
    const auto now = Clock::now();
    if (now >= deadline) return killed(ProcessEnd::wall_clock, result);
    const bool early = now - start < kQuiet;
    const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(
        early ? std::min(start + kQuiet, deadline) - now : deadline - now);
    std::array<pollfd, 4> wait{{{ended, POLLIN, 0},
                                {wake.get(), POLLIN, 0},
                                {early ? -1 : output_.get(), POLLIN, 0},
                                {input_.get(), POLLOUT, 0}}};
    poll(wait.data(), wait.size(),
         static_cast<int>(std::min<long long>(milliseconds.count(), 60'000)));
    if (!read_output(result)) return false;
    if (wait[1].revents != 0) return killed(ProcessEnd::cancelled, result);
    if (wait[0].revents != 0) return true;
  }
}

DUALAGENT_INLINE bool ProcessIo::read_output(ProcessResult& result) {
  std::array<char, 16384> bytes;
  while (output_.get() >= 0) {
    const ssize_t count = read(output_.get(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return true;
    if (count <= 0) output_.close();
    if (count <= 0) return true;
    const std::size_t room = limits_.output_bytes - result.output.size();
    result.output.append(bytes.data(), std::min(room, static_cast<std::size_t>(count)));
    if (static_cast<std::size_t>(count) > room) return killed(ProcessEnd::output_limit, result);
  }
  return true;
}

DUALAGENT_INLINE void ProcessIo::write_input(std::string_view& text) {
  while (input_.get() >= 0 && !text.empty()) {
    const ssize_t count = write(input_.get(), text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return;
    text.remove_prefix(count < 0 ? text.size() : static_cast<std::size_t>(count));
  }
  input_.close();
}

}  // namespace dualagent::detail
