#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <bitset>
#include <cerrno>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "dualagent/core/check.hpp"
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
  void validate() const {
    require_option(wall_seconds, {0.0, 1e9, false, true}, "wall_seconds", "SandboxLimits");
    require_option(cpu_seconds, kAtLeastOne, "cpu_seconds", "SandboxLimits");
    require_option(memory_bytes, kAtLeastOne, "memory_bytes", "SandboxLimits");
    require_option(max_processes, kAtLeastOne, "max_processes", "SandboxLimits");
    require_option(file_bytes, kAtLeastOne, "file_bytes", "SandboxLimits");
    require_option(output_bytes, kAtLeastOne, "output_bytes", "SandboxLimits");
  }
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

namespace detail {

/// User ids that no account has and no other sandbox uses while it is held.
class SandboxUsers {
 public:
  static constexpr std::uint32_t kFirst = 1'000'000'000u;
  static constexpr std::uint32_t kPerHost = 512;  // times 2^22 possible process ids: all below 2^32

  /// None if the host is not root, or is root of a container that has too few user ids.
  /// Errors: Error if this host runs 512 sandboxes already.
  static std::shared_ptr<const uid_t> take() {
    if (!available()) return nullptr;
    const std::lock_guard lock(mutex());
    static std::size_t next = 0;
    for (std::size_t tries = 0; tries < kPerHost; ++tries) {
      const std::size_t i = next++ % kPerHost;
      if (taken()[i]) continue;
      taken().set(i);
      return {new uid_t(first_of(getpid()) + static_cast<uid_t>(i)), [i](const uid_t* uid) {
                delete uid;
                const std::lock_guard give_back(mutex());
                taken().reset(i);
              }};
    }
    throw Error("all " + std::to_string(kPerHost) + " user ids of sandboxes are in use", "sandbox",
                "Run fewer sandboxes at once");
  }

  static uid_t first_of(pid_t host) {
    return kFirst + (static_cast<std::uint32_t>(host) & 0x3FFFFFu) * kPerHost;
  }

 private:
  static bool available() {
    static const bool enough = [] {
      unsigned long inside = 1, outside = 0, count = 0;
      const std::string map = read_proc_file("/proc/self/uid_map");
      return geteuid() == 0 &&
             std::sscanf(map.c_str(), "%lu %lu %lu", &inside, &outside, &count) == 3 &&
             inside == 0 && count >= first_of(0x3FFFFF) + kPerHost;
    }();
    return enough;
  }
  static std::mutex& mutex() {
    static std::mutex one;
    return one;
  }
  static std::bitset<kPerHost>& taken() {
    static std::bitset<kPerHost> bits;
    return bits;
  }
};

inline std::string next_sandbox_marker() {
  static std::atomic<std::uint64_t> next{0};
  return "DUALAGENT_SANDBOX=" + std::to_string(getpid()) + "." + std::to_string(next++);
}

/// Full path of a program: `name` itself if it has a slash, else the first in the system folders.
inline std::string find_program(std::string_view name) {
  if (name.find('/') != std::string_view::npos) return std::string(name);
  for (const std::string_view folder : {"/usr/local/bin/", "/usr/bin/", "/bin/"}) {
    const std::string path = std::string(folder) + std::string(name);
    if (access(path.c_str(), X_OK) == 0) return path;
  }
  throw Error("there is no program '" + std::string(name) + "'", "/usr/local/bin, /usr/bin, /bin",
              "Install it or give its absolute path");
}

}  // namespace detail

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
  SandboxLaunch launch(const std::vector<std::string>& command, SandboxRole role) const {
    SandboxLaunch launch{.environment = {"PATH=/usr/bin:/bin"},
                         .reports_namespace = true,
                         .owns_all_processes = role == SandboxRole::server};
    launch.user = detail::SandboxUsers::take();
    launch.argv = {detail::find_program(program),
                   "--unshare-all",
                   "--die-with-parent",
                   "--new-session",
                   "--cap-drop",
                   "ALL",
                   "--uid",
                   "65534",
                   "--gid",
                   "65534",
                   "--hostname",
                   "sandbox",
                   "--info-fd",
                   "3",
                   "--clearenv"};
    const auto add = [&](std::initializer_list<std::string> words) {
      launch.argv.insert(launch.argv.end(), words);
    };
    // The namespace's first process gets no signal from inside it and cannot be killed there.
    if (role == SandboxRole::server) add({"--as-pid-1"});
    for (const char* name : {"PATH=/usr/bin:/bin", "HOME=/tmp", "LANG=C.UTF-8", "TMPDIR=/tmp"}) {
      const char* equals = std::strchr(name, '=');
      add({"--setenv", std::string(name, equals), equals + 1});
    }
    for (const std::string& path : readable) add({"--ro-bind-try", path, path});
    for (const char* device : {"/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"})
      add({"--dev-bind", device, device});
    add({"--proc", "/proc"});
    for (const char* folder : {"/tmp", "/dev/shm"})
      add({"--size", std::to_string(limits.file_bytes), "--tmpfs", folder});
    add({"--remount-ro", "/", "--chdir", "/tmp", "--", detail::find_program("prlimit")});
    // Inside the namespace the count starts anew; its first process, bwrap's or the server, is one
    // more.
    add({"--nproc=" + std::to_string(limits.max_processes + 1), "--"});
    launch.argv.insert(launch.argv.end(), command.begin(), command.end());
    return launch;
  }
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
  SandboxLaunch launch(const std::vector<std::string>& command, SandboxRole role) const {
    say_once();
    SandboxLaunch launch{.argv = command, .marker = detail::next_sandbox_marker()};
    launch.argv.at(0) = detail::find_program(command.at(0));
    std::string path = folder + "/dualagent-XXXXXX";
    if (mkdtemp(path.data()) == nullptr)
      throw Error(std::string("no private folder: ") + std::strerror(errno), folder,
                  "Give a folder that can be written");
    launch.directory = launch.private_folder = path;
    launch.user = detail::SandboxUsers::take();
    if (launch.user && chown(path.c_str(), *launch.user, *launch.user) != 0) {
      const int error = errno;
      rmdir(path.c_str());
      throw Error(std::string("chown failed: ") + std::strerror(error), path);
    }
    launch.environment = {"PATH=/usr/bin:/bin", "HOME=" + path, "LANG=C.UTF-8", "TMPDIR=" + path,
                          launch.marker};
    const auto others = detail::tasks_of_user(launch.user ? *launch.user : getuid());
    launch.max_user_tasks = limits.max_processes + others.running + others.ended +
                            (role == SandboxRole::server ? 1 : 0);
    launch.owns_all_processes = launch.user && role == SandboxRole::server;
    return launch;
  }

 private:
  static void say_once() {
    static std::once_flag said;
    std::call_once(said, [] {
      warn(std::string("the Rlimits sandbox cannot forbid the network, nor reading files that its "
                       "user may read") +
           (geteuid() == 0 ? "" : ", nor writing or signalling what your user can") +
           ". Install bubblewrap and use the Bubblewrap sandbox.");
    });
  }
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
