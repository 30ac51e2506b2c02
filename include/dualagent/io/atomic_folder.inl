#pragma once

/// Definitions of atomic_folder.hpp; see core/compiled.hpp.

#include "dualagent/io/atomic_folder.hpp"

namespace dualagent {

DUALAGENT_INLINE AtomicFolder::AtomicFolder(const std::filesystem::path& target)
    : target_(resolve(target)) {
  static std::atomic<std::uint64_t> next_number{0};
  const std::filesystem::path parent = detail::folder_of(target_);
  ensure_directory(parent);
  const std::string mark = target_.filename().string() + std::string(detail::kTemporaryMark);
  remove_abandoned_temporaries(parent, mark);
  path_ = parent / ("." + mark + std::to_string(::getpid()) + "-" + std::to_string(next_number++));
  std::error_code error;
  if (!std::filesystem::create_directory(path_, error)) {
    path_.clear();
    detail::throw_file_error("create a temporary folder beside it", target_,
                             error ? error.value() : EEXIST);
  }
}

DUALAGENT_INLINE void AtomicFolder::commit() {
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

DUALAGENT_INLINE std::filesystem::path AtomicFolder::resolve(const std::filesystem::path& path) {
  detail::require_whole_path(path);
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

DUALAGENT_INLINE void AtomicFolder::exchange() {
  if (::renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, target_.c_str(), RENAME_EXCHANGE) == 0) return;
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

}  // namespace dualagent
