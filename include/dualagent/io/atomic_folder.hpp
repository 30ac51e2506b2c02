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

#include "dualagent/core/compiled.hpp"
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
  explicit AtomicFolder(const std::filesystem::path& target);
  AtomicFolder(const AtomicFolder&) = delete;
  AtomicFolder& operator=(const AtomicFolder&) = delete;
  ~AtomicFolder() { discard(); }

  /// Where the new version is written.
  const std::filesystem::path& path() const { return path_; }
  /// What it will replace, links followed.
  const std::filesystem::path& target() const { return target_; }

  /// Puts the new version in the place of the old one; nothing may be written afterwards.
  void commit();

 private:
  static std::filesystem::path resolve(const std::filesystem::path& path);

  /// Afterwards `path_` is the old version.
  void exchange();

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

#ifndef DUALAGENT_COMPILED
#include "dualagent/io/atomic_folder.inl"
#endif
