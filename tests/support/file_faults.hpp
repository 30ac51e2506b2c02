#pragma once

#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <string>

/// While it lives, no file of this process can grow beyond a limit: write fails with EFBIG after a
/// part was written, as it does on a disk that fills up.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t max_bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    old_handler_ = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit lowered{max_bytes, before_.rlim_max};
    if (::setrlimit(RLIMIT_FSIZE, &lowered) != 0) throw std::runtime_error("setrlimit failed");
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, old_handler_);
  }

 private:
  rlimit before_{};
  void (*old_handler_)(int) = nullptr;
};

/// Text that begins so says that the fault could not be made on this machine, and why.
inline const std::string kFaultImpossible = "left out: ";

/// Runs `body` in a child process and returns its text, or the message of what it threw.
inline std::string in_child(const std::function<std::string()>& body) {
  int ends[2];
  if (::pipe(ends) != 0) throw std::runtime_error("pipe failed");
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("fork failed");
  if (child == 0) {
    std::string text;
    try {
      text = body();
    } catch (const std::exception& error) {
      text = error.what();
    }
    const char* rest = text.data();
    for (std::size_t left = text.size(); left > 0;) {
      const ssize_t written = ::write(ends[1], rest, left);
      if (written <= 0) break;
      rest += written;
      left -= static_cast<std::size_t>(written);
    }
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string text;
  char piece[512];
  for (ssize_t got = 0; (got = ::read(ends[0], piece, sizeof piece)) > 0;)
    text.append(piece, static_cast<std::size_t>(got));
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return "the child process crashed";
  return text;
}

/// Gives this process mounts of its own: in a user namespace in which it keeps its user, unless it
/// is root. Else false, with errno.
inline bool take_own_mounts() {
  if (::unshare(CLONE_NEWNS) == 0) return true;
  const uid_t user = ::geteuid();
  const gid_t group = ::getegid();
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
  const auto map = [](const char* file, const std::string& text) { std::ofstream(file) << text; };
  map("/proc/self/uid_map", std::to_string(user) + " " + std::to_string(user) + " 1");
  map("/proc/self/setgroups", "deny");  // or the kernel takes no map of groups
  map("/proc/self/gid_map", std::to_string(group) + " " + std::to_string(group) + " 1");
  return true;
}

/// Runs `body` in a child in which `folder` is a file system of 64 KiB.
inline std::string on_tiny_disk(const std::filesystem::path& folder,
                                const std::function<std::string()>& body) {
  return in_child([&]() -> std::string {
    if (!take_own_mounts())
      return kFaultImpossible + "no own mounts here (unshare: " + std::strerror(errno) + ")";
    if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tiny", folder.c_str(), "tmpfs", 0, "size=64k") != 0)
      return kFaultImpossible + "no small disk here (mount: " + std::strerror(errno) + ")";
    return body();
  });
}

/// Runs `body` in a child that may enter `folder` but not write to it.
inline std::string without_write_permission(const std::filesystem::path& folder,
                                            const std::function<std::string()>& body) {
  ::chmod(folder.c_str(), 0555);
  const std::string text = in_child([&]() -> std::string {
    constexpr uid_t kNobody = 65534;  // permission checks do not hold for root
    if (::geteuid() == 0 && ::setresuid(kNobody, kNobody, kNobody) != 0)
      return kFaultImpossible + "cannot give up root (setresuid: " + std::strerror(errno) + ")";
    return body();
  });
  ::chmod(folder.c_str(), 0755);
  return text;
}
