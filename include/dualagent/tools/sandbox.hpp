#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bitset>
#include <cerrno>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "dualagent/core/check.hpp"
#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/warning.hpp"
#include "dualagent/tools/process_table.hpp"

namespace dualagent {

/// What one sandboxed command may use. The kernel enforces all but `wall_seconds` and
/// `output_bytes`, which the host enforces by killing the command and all that it started.
struct SandboxLimits {
  double wall_seconds = 10.0;
  unsigned cpu_seconds = 10;                ///< of each process (RLIMIT_CPU)
  std::uint64_t memory_bytes = 512u << 20;  ///< address space of each process (RLIMIT_AS)
  unsigned max_processes = 32;              ///< processes and threads at once (RLIMIT_NPROC)
  std::uint64_t file_bytes =
      16u << 20;  ///< of one file; Bubblewrap: of all of /tmp, and of /dev/shm
  std::uint64_t output_bytes = 64u << 10;  ///< of standard output and error together

  /// Errors: Error for a limit under which no command can do anything, or that is not a number.
  void validate() const;
};

/// What is started in a sandbox: a command, or a server, which runs one program after the other and
/// must be out of their reach.
enum class SandboxRole : std::uint8_t { command, server };

/// How to start a command in its sandbox: what a policy hands to SandboxedProcess.
struct SandboxLaunch {
  std::vector<std::string> argv{};         ///< argv[0] is an absolute path
  std::vector<std::string> environment{};  ///< the whole environment, "NAME=value"
  std::string directory = "/";             ///< working folder
  std::string private_folder{};            ///< removed with its contents afterwards; empty: none
  std::shared_ptr<const uid_t> user{};     ///< user and group to become, held for it; null: none
  std::uint64_t max_user_tasks = 0;        ///< RLIMIT_NPROC before exec; 0: as inherited
  bool reports_namespace = false;          ///< argv[0] writes {"child-pid": N} to descriptor 3
  std::string marker{};                    ///< environment entry that only this sandbox has
  /// Of a server: it may kill every process that it sees or may signal, because they all belong to
  /// this sandbox, and no program can touch its memory. Else it is used for one program only.
  bool owns_all_processes = false;
};

/// New user, process, network, IPC, host-name and control-group namespaces made by `bwrap`
/// (Debian package bubblewrap). The command sees the `readable` paths read-only, a private /tmp and
/// a private /dev/shm (shared memory and semaphores) of `limits.file_bytes` each, a /dev of four
/// harmless devices, its own /proc, no network, an environment of four constants, and is nobody
/// (65534). No capabilities, no new privileges, no terminal.
///
/// A host that is root first becomes a user id nobody has, so that files of root stay closed and
/// the limit of processes binds. The namespace dies with its first process, so nothing survives a
/// kill. Memory and CPU limits hold for each process: all together at most `max_processes` times.
/// Example: Bubblewrap{.limits = {.wall_seconds = 2.0}, .readable = {"/usr", "/lib", "/lib64"}}
struct Bubblewrap {
  SandboxLimits limits{};
  /// Paths the command can read; those that do not exist are left out. Home folders are not in it.
  std::vector<std::string> readable = {"/usr",
                                       "/bin",
                                       "/sbin",
                                       "/lib",
                                       "/lib64",
                                       "/lib32",
                                       "/etc/ld.so.cache",
                                       "/etc/alternatives",
                                       "/etc/localtime"};
  std::string program = "bwrap";  ///< found in the system folders, or an absolute path

  /// Errors: Error if bwrap or prlimit (package util-linux) is missing.
  SandboxLaunch launch(const std::vector<std::string>& command, SandboxRole role) const;
};

/// The fallback where bwrap cannot run: kernel limits, a session and process group of its own, an
/// environment of five constants and a private folder that is removed afterwards.
///
/// It cannot keep the command from the network, from reading what everyone may read, from filling
/// world-writable folders, or from seeing other processes. A root host starts each command under a
/// user id nobody has: then it writes no foreign file, signals nobody, its processes are counted
/// exactly, and all of them are found and killed whatever they do. Other hosts run it under their
/// own user: it can then read, write and signal what that user can, and a process that leaves its
/// group is found only by the marker in its environment. The first `launch` warns of this.
struct Rlimits {
  SandboxLimits limits{};
  std::string folder = "/tmp";  ///< where private folders are made

  /// Makes the private folder. Errors: Error if that fails.
  SandboxLaunch launch(const std::vector<std::string>& command, SandboxRole role) const;

 private:
  static void say_once();
};

namespace detail {
template <class T>
concept HasSandboxLimits = requires(const T& sandbox) {
  { sandbox.limits } -> std::convertible_to<const SandboxLimits&>;
};
template <class T>
concept HasSandboxLaunch = requires(const T& sandbox, const std::vector<std::string>& command) {
  { sandbox.launch(command, SandboxRole::command) } -> std::same_as<SandboxLaunch>;
};
}  // namespace detail

/// A way to contain a command. Requirements on a constant t of type T:
/// 1. `t.limits` is a SandboxLimits.
/// 2. `t.launch(command, role)` says how to start the command (argv); called from several threads
///    at once; each launch is started once at most.
template <class T>
concept Sandbox = detail::HasSandboxLimits<T> && detail::HasSandboxLaunch<T>;

/// One readable sentence for each part of `Sandbox` that T lacks.
template <class T>
consteval bool check_sandbox() {
  static_assert(detail::HasSandboxLimits<T>,
                "dualagent: a Sandbox needs a member 'SandboxLimits limits'; see docs/tools.md");
  static_assert(detail::HasSandboxLaunch<T>,
                "dualagent: a Sandbox needs 'SandboxLaunch launch(const std::vector<std::string>&, "
                "SandboxRole) const'; see docs/tools.md");
  return true;
}

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/tools/sandbox.inl"
#endif
