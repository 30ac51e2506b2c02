#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/no_pipe_signal.hpp"
#include "dualagent/tools/child_process.hpp"
#include "dualagent/tools/sandbox.hpp"

namespace dualagent {

/// How a sandboxed program came to its end.
enum class ProcessEnd : std::uint8_t { exited, signalled, wall_clock, output_limit, cancelled };

/// What a sandboxed program did.
struct ProcessResult {
  ProcessEnd end = ProcessEnd::exited;
  int code = 0;        ///< exit status, or the number of the signal
  std::string output;  ///< standard output and error as they came; any bytes, cut at the limit

  /// Takes over a status as waitpid gives it.
  void set_status(int status);
};

namespace detail {

/// The host's side of one run of a program: feeds its standard input and reads its output until it
/// ends or must be killed. The wall clock starts with `run`.
class ProcessIo {
 public:
  ProcessIo(FileDescriptor input, FileDescriptor output, const SandboxLimits& limits);

  /// Moves bytes until `ended` can be read (true) or the program must be killed (false; result.end
  /// says why).
  bool run(std::string_view text, int ended, const std::stop_token& cancel, ProcessResult& result);

 private:
  using Clock = std::chrono::steady_clock;

  /// Output waits in the pipe that long at first: a short program does not wake the host with each
  /// line.
  static constexpr std::chrono::milliseconds kQuiet{10};

  static bool killed(ProcessEnd end, ProcessResult& result) {
    result.end = end;
    return false;
  }

  /// Takes what the pipe holds; closes it at its end. False if that exceeds the limit.
  bool read_output(ProcessResult& result);

  /// Writes what the pipe takes; closes it after the last byte or when nobody reads it.
  void write_input(std::string_view& text);

  FileDescriptor input_, output_;
  SandboxLimits limits_;
};

}  // namespace detail

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/tools/process_io.inl"
#endif
