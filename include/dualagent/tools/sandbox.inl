#pragma once

/// Definitions of sandbox.hpp; see core/compiled.hpp.

#include "dualagent/tools/sandbox.hpp"

namespace dualagent {

DUALAGENT_INLINE void SandboxLimits::validate() const {
  require_option(wall_seconds, kPositiveSeconds, "wall_seconds", "SandboxLimits");
  require_option(cpu_seconds, kAtLeastOne, "cpu_seconds", "SandboxLimits");
  require_option(memory_bytes, kAtLeastOne, "memory_bytes", "SandboxLimits");
  require_option(max_processes, kAtLeastOne, "max_processes", "SandboxLimits");
  require_option(file_bytes, kAtLeastOne, "file_bytes", "SandboxLimits");
  require_option(output_bytes, kAtLeastOne, "output_bytes", "SandboxLimits");
}

}  // namespace dualagent

namespace dualagent::detail {

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

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE SandboxLaunch Bubblewrap::launch(const std::vector<std::string>& command,
                                                  SandboxRole role) const {
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
  constexpr std::uint64_t kMostOfBwrap = std::numeric_limits<std::int64_t>::max();
  for (const char* folder : {"/tmp", "/dev/shm"})
    add({"--size", std::to_string(std::min(limits.file_bytes, kMostOfBwrap)), "--tmpfs", folder});
  add({"--remount-ro", "/", "--chdir", "/tmp", "--", detail::find_program("prlimit")});
  // Inside the namespace the count starts anew; its first process, bwrap's or the server, is one
  // more.
  add({"--nproc=" + std::to_string(std::uint64_t{limits.max_processes} + 1), "--"});
  launch.argv.insert(launch.argv.end(), command.begin(), command.end());
  return launch;
}

DUALAGENT_INLINE SandboxLaunch Rlimits::launch(const std::vector<std::string>& command,
                                               SandboxRole role) const {
  say_once();
  require_no_nul(folder, "folder", "Rlimits");
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
  launch.max_user_tasks =
      limits.max_processes + others.running + others.ended + (role == SandboxRole::server ? 1 : 0);
  launch.owns_all_processes = launch.user && role == SandboxRole::server;
  return launch;
}

DUALAGENT_INLINE void Rlimits::say_once() {
  static std::once_flag said;
  std::call_once(said, [] {
    warn(std::string("the Rlimits sandbox cannot forbid the network, nor reading files that its "
                     "user may read") +
         (geteuid() == 0 ? "" : ", nor writing or signalling what your user can") +
         ". Install bubblewrap and use the Bubblewrap sandbox.");
  });
}

}  // namespace dualagent
