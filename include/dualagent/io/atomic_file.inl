#pragma once

/// Definitions of atomic_file.hpp; see core/compiled.hpp.

#include "dualagent/core/check.hpp"
#include "dualagent/io/atomic_file.hpp"

namespace dualagent::detail {

/// What a person can do about a failed system call on a file.
inline std::string file_remedy(int error_number) {
  switch (error_number) {
    case ENOSPC:
    case EDQUOT:
      return "The disk or quota is full: free some space or choose another folder";
    case EFBIG:
      return "The file would exceed the size limit: raise it (ulimit -f) or choose another disk";
    case EACCES:
    case EPERM:
      return "Check the permissions of the file and its folder, or choose another folder";
    case EROFS:
      return "The file system is read-only: choose another folder";
    case ENOTDIR:
      return "A part of the path is a file, not a folder: remove it or choose another path";
    case ENOENT:
      return "Check the path; where a new file is written, the folder must exist";
    case EISDIR:
      return "The path is a folder: name a file";
    case ENAMETOOLONG:
      return "Choose a shorter name";
    case EMFILE:
    case ENFILE:
      return "Too many files are open: close some or raise the limit (ulimit -n)";
    case EIO:
      return "The device reports an error: check the disk and its connection";
    default:
      return "Check the file system and the path";
  }
}

DUALAGENT_INLINE void throw_file_error(const std::string& operation,
                                       const std::filesystem::path& path, int error_number) {
  throw Error("cannot " + operation + ": " + std::generic_category().message(error_number),
              path.string(), file_remedy(error_number));
}

DUALAGENT_INLINE int FileDescriptor::close() {
  if (descriptor_ < 0) return 0;
  const int result = ::close(std::exchange(descriptor_, -1));
  return result == 0 || errno == EINTR ? 0 : errno;
}

DUALAGENT_INLINE void require_whole_path(const std::filesystem::path& path) {
  require_no_nul(path.native(), "a path", "");
}

DUALAGENT_INLINE int open_retrying(const std::filesystem::path& path, int flags, mode_t mode) {
  require_whole_path(path);
  int descriptor = -1;
  do descriptor = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  while (descriptor < 0 && errno == EINTR);
  return descriptor;
}

DUALAGENT_INLINE bool is_there(const std::filesystem::path& path) {
  require_whole_path(path);
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

DUALAGENT_INLINE std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE void sync_directory(const std::filesystem::path& directory) {
  detail::FileDescriptor folder(detail::open_retrying(directory, O_RDONLY | O_DIRECTORY));
  if (folder.get() < 0) detail::throw_file_error("open the folder", directory, errno);
  if (::fsync(folder.get()) != 0 && errno != EINVAL)
    detail::throw_file_error("flush the folder to disk (fsync)", directory, errno);
}

DUALAGENT_INLINE void ensure_directory(const std::filesystem::path& directory) {
  if (directory.empty()) throw Error("a folder has no name", "ensure_directory", "Name one");
  detail::require_whole_path(directory);
  std::error_code error;
  if (std::filesystem::is_directory(directory, error)) return;
  if (!std::filesystem::create_directories(directory, error) && error)
    detail::throw_file_error("create the folder", directory, error.value());
  sync_directory(detail::folder_of(directory));
}

DUALAGENT_INLINE AtomicFile::AtomicFile(const std::filesystem::path& path) : path_(resolve(path)) {
  static std::atomic<std::uint64_t> next_number{0};
  const std::filesystem::path folder = detail::folder_of(path_);
  const std::string name =
      std::string(".").append(path_.filename().string()).append(detail::kTemporaryMark);
  do {
    temporary_ = folder / (name + std::to_string(::getpid()) + "-" + std::to_string(next_number++));
    file_ = detail::FileDescriptor(
        detail::open_retrying(temporary_, O_WRONLY | O_CREAT | O_EXCL, 0666));
  } while (file_.get() < 0 && errno == EEXIST);
  if (file_.get() < 0) {
    const int error_number = errno;
    temporary_.clear();
    detail::throw_file_error("create a temporary file beside it", path_, error_number);
  }
}

DUALAGENT_INLINE void AtomicFile::write(std::span<const std::byte> bytes) {
  constexpr std::size_t kMaxBytesPerCall = std::size_t{1} << 30;
  while (!bytes.empty()) {
    const ssize_t written =
        ::write(file_.get(), bytes.data(), std::min(bytes.size(), kMaxBytesPerCall));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) fail("write", written < 0 ? errno : EIO);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

DUALAGENT_INLINE void AtomicFile::commit() {
  if (::fsync(file_.get()) != 0) fail("flush to disk (fsync)", errno);
  if (const int error_number = file_.close(); error_number != 0) fail("close", error_number);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail("rename the new version to", errno);
  temporary_.clear();
  sync_directory(detail::folder_of(path_));
}

DUALAGENT_INLINE std::filesystem::path AtomicFile::resolve(const std::filesystem::path& path) {
  detail::require_whole_path(path);
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(path, error);
  switch (status.type()) {
    case std::filesystem::file_type::not_found:
      if (path.filename().empty()) detail::throw_file_error("write", path, EISDIR);
      return path;
    case std::filesystem::file_type::regular:
      return std::filesystem::is_symlink(path) ? std::filesystem::canonical(path) : path;
    case std::filesystem::file_type::directory:
      detail::throw_file_error("write", path, EISDIR);
    case std::filesystem::file_type::none:
      detail::throw_file_error("look at", path, error.value());
    default:
      throw Error("cannot replace something that is not a regular file", path.string(),
                  "Name a file, not a device, pipe or socket");
  }
}

DUALAGENT_INLINE void write_file_atomically(const std::filesystem::path& path,
                                            std::span<const std::byte> bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

DUALAGENT_INLINE void write_file_atomically(const std::filesystem::path& path,
                                            std::string_view text) {
  write_file_atomically(path, std::as_bytes(std::span(text)));
}

DUALAGENT_INLINE std::size_t remove_abandoned_temporaries(const std::filesystem::path& folder,
                                                          std::string_view name_prefix) {
  detail::require_whole_path(folder);
  const std::string prefix = "." + std::string(name_prefix);
  std::error_code error;
  std::vector<std::filesystem::path> abandoned;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.rfind(prefix, 0) == 0 && name.find(detail::kTemporaryMark) != std::string::npos)
      abandoned.push_back(entry->path());
  }
  if (error) detail::throw_file_error("list the folder", folder, error.value());
  for (const std::filesystem::path& file : abandoned)
    if (std::filesystem::remove_all(file, error); error)
      detail::throw_file_error("remove an abandoned temporary", file, error.value());
  return abandoned.size();
}

DUALAGENT_INLINE MappedFile::MappedFile(const std::filesystem::path& path) {
  detail::FileDescriptor file(detail::open_retrying(path, O_RDONLY));
  if (file.get() < 0) detail::throw_file_error("open", path, errno);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) detail::throw_file_error("look at", path, errno);
  if (S_ISDIR(status.st_mode)) detail::throw_file_error("read", path, EISDIR);
  if (!S_ISREG(status.st_mode))
    throw Error("cannot map something that is not a regular file", path.string(),
                "Name a file, not a device, pipe or socket");
  size_bytes_ = static_cast<std::size_t>(status.st_size);
  if (size_bytes_ == 0) return;
  void* address = ::mmap(nullptr, size_bytes_, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (address == MAP_FAILED) detail::throw_file_error("map into memory", path, errno);
  address_ = static_cast<const std::byte*>(address);
}

DUALAGENT_INLINE void MappedFile::forget(std::span<const std::byte> part) const {
  if (part.empty()) return;
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = static_cast<std::size_t>(part.data() - address_) / page * page;
  const std::size_t end = static_cast<std::size_t>(part.data() - address_) + part.size();
  ::madvise(const_cast<std::byte*>(address_) + begin, end - begin, MADV_DONTNEED);  // a hint
}

DUALAGENT_INLINE std::string read_file(const std::filesystem::path& path) {
  detail::FileDescriptor file(detail::open_retrying(path, O_RDONLY));
  if (file.get() < 0) detail::throw_file_error("open", path, errno);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) detail::throw_file_error("look at", path, errno);
  const auto known_bytes = static_cast<std::size_t>(std::max<off_t>(status.st_size, 0));
  std::string text(known_bytes + 1, '\0');  // one more, so that the end is seen without growing
  for (std::size_t size = 0;;) {
    if (size == text.size()) text.resize(size + size / 2 + 4096);
    const ssize_t got = ::read(file.get(), text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) detail::throw_file_error("read", path, errno);
    size += static_cast<std::size_t>(got);
    if (got != 0) continue;
    text.resize(size);
    return text;
  }
}

}  // namespace dualagent
