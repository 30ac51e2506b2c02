#pragma once

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <string>
#include <system_error>

#include "dualagent/core/error.hpp"
#include "dualagent/io/atomic_file.hpp"

namespace dualagent {

/// A new version of a whole folder that appears as a whole or not at all.
///
/// Files are written into `path()`, a temporary beside the target, each durably (`AtomicFile`).
/// `commit` puts it in the place of the target in one step and removes the old version with all it
/// holds. Until then, and after any failure, the old folder is untouched and the temporary is
/// removed. A process that is killed leaves its temporary behind; the next AtomicFolder for the
/// same target removes it, so that only one process may write a target at a time. A symbolic link
/// to a folder is followed. Where a file system cannot exchange two names (renameat2), the old
/// folder is gone for a moment before the new one has its name. Errors: every failing system call
/// throws Error with operation, path, reason and remedy; so does a target that is a file. Example:
/// AtomicFolder folder("out/model"); write_file_atomically(folder.path() / "a", "text");
///          folder.commit();
class AtomicFolder {
 public:
  explicit AtomicFolder(const std::filesystem::path& target) : target_(resolve(target)) {
    static std::atomic<std::uint64_t> next_number{0};
    const std::filesystem::path parent = detail::folder_of(target_);
    ensure_directory(parent);
    const std::string mark = target_.filename().string() + std::string(detail::kTemporaryMark);
    remove_abandoned_temporaries(parent, mark);
    path_ =
        parent / ("." + mark + std::to_string(::getpid()) + "-" + std::to_string(next_number++));
    std::error_code error;
    if (!std::filesystem::create_directory(path_, error)) {
      path_.clear();
      detail::throw_file_error("create a temporary folder beside it", target_,
                               error ? error.value() : EEXIST);
    }
  }
  AtomicFolder(const AtomicFolder&) = delete;
  AtomicFolder& operator=(const AtomicFolder&) = delete;
  ~AtomicFolder() { discard(); }

  /// Where the new version is written.
  const std::filesystem::path& path() const { return path_; }
  /// What it will replace, links followed.
  const std::filesystem::path& target() const { return target_; }

  /// Puts the new version in the place of the old one; nothing may be written afterwards.
  void commit() {
    sync_directory(path_);
    if (::rename(path_.c_str(), target_.c_str()) == 0)  // nothing was there, or an empty folder
      path_.clear();
    else if (errno == ENOTEMPTY || errno == EEXIST)
      exchange();
    else
      fail(errno);
    sync_directory(detail::folder_of(target_));
    discard();
  }

 private:
  static std::filesystem::path resolve(const std::filesystem::path& path) {
    std::error_code error;
    std::filesystem::path target = std::filesystem::weakly_canonical(path, error);
    if (error) detail::throw_file_error("look at", path, error.value());
    if (target.filename().empty()) target = target.parent_path();  // of a trailing '/'
    if (target.filename().empty())
      throw Error("cannot replace the root of the file system", path.string(), "Name a folder");
    if (std::filesystem::exists(target, error) && !std::filesystem::is_directory(target, error))
      detail::throw_file_error("replace by a folder", target, ENOTDIR);
    return target;
  }

  /// Afterwards `path_` is the old version.
  void exchange() {
    if (::renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, target_.c_str(), RENAME_EXCHANGE) == 0)
      return;
    if (errno != EINVAL && errno != ENOSYS) fail(errno);
    const std::filesystem::path old = path_.string() + "-old";
    if (::rename(target_.c_str(), old.c_str()) != 0) fail(errno);
    if (::rename(path_.c_str(), target_.c_str()) != 0) {
      const int error_number = errno;
      ::rename(old.c_str(), target_.c_str());
      fail(error_number);
    }
    path_ = old;
  }

  [[noreturn]] void fail(int error_number) {
    discard();
    detail::throw_file_error("rename the new version to", target_, error_number);
  }

  void discard() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
    path_.clear();
  }

  std::filesystem::path target_;
  std::filesystem::path path_;  // empty when there is none
};

}  // namespace dualagent
