#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "dualagent/core/error.hpp"

namespace dualagent {

namespace detail {

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

[[noreturn]] inline void throw_file_error(const std::string& operation,
                                          const std::filesystem::path& path, int error_number) {
  throw Error("cannot " + operation + ": " + std::generic_category().message(error_number),
              path.string(), file_remedy(error_number));
}

/// Owns a file descriptor.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int descriptor) : descriptor_(descriptor) {}
  FileDescriptor(FileDescriptor&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~FileDescriptor() { close(); }

  int get() const { return descriptor_; }

  /// Returns 0 or the error number; a descriptor is given back in either case.
  int close() {
    if (descriptor_ < 0) return 0;
    const int result = ::close(std::exchange(descriptor_, -1));
    return result == 0 || errno == EINTR ? 0 : errno;
  }

 private:
  int descriptor_ = -1;
};

inline int open_retrying(const char* path, int flags, mode_t mode = 0) {
  int descriptor = -1;
  do descriptor = ::open(path, flags | O_CLOEXEC, mode);
  while (descriptor < 0 && errno == EINTR);
  return descriptor;
}

/// Temporaries of "FOLDER/NAME" are called "FOLDER/.NAME.partial-PROCESS-NUMBER".
inline constexpr std::string_view kTemporaryMark = ".partial-";

inline bool is_there(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

inline std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

}  // namespace detail

/// Makes the entries of a folder (creations, renames, removals) survive a power failure.
///
/// Errors: Error naming the folder. File systems that cannot do this (EINVAL) are accepted.
inline void sync_directory(const std::filesystem::path& directory) {
  detail::FileDescriptor folder(detail::open_retrying(directory.c_str(), O_RDONLY | O_DIRECTORY));
  if (folder.get() < 0) detail::throw_file_error("open the folder", directory, errno);
  if (::fsync(folder.get()) != 0 && errno != EINVAL)
    detail::throw_file_error("flush the folder to disk (fsync)", directory, errno);
}

/// Creates a folder and its parents where missing, durably.
///
/// Errors: Error naming the folder, e.g. when a part of the path is a file.
inline void ensure_directory(const std::filesystem::path& directory) {
  std::error_code error;
  if (std::filesystem::is_directory(directory, error)) return;
  if (!std::filesystem::create_directories(directory, error) && error)
    detail::throw_file_error("create the folder", directory, error.value());
  sync_directory(detail::folder_of(directory));
}

/// A new version of a file that appears as a whole or not at all.
///
/// Bytes go to a temporary in the same folder; `commit` flushes it (fsync), renames it over `path`
/// and flushes the folder. Until then, and after any failure, the old file is untouched and the
/// temporary is removed. A process that is killed leaves its temporary behind: see
/// `remove_abandoned_temporaries`. A symbolic link is followed; the new file has default
/// permissions (umask). Writes are not buffered: hand over large pieces.
/// Errors: every failing system call throws Error with operation, path, reason and remedy; so does
/// a path that is a folder or a device.
/// Example: AtomicFile file("result.json"); file.write(text); file.commit();
class AtomicFile {
 public:
  explicit AtomicFile(const std::filesystem::path& path) : path_(resolve(path)) {
    static std::atomic<std::uint64_t> next_number{0};
    const std::filesystem::path folder = detail::folder_of(path_);
    const std::string name =
        std::string(".").append(path_.filename().string()).append(detail::kTemporaryMark);
    do {
      temporary_ =
          folder / (name + std::to_string(::getpid()) + "-" + std::to_string(next_number++));
      file_ = detail::FileDescriptor(
          detail::open_retrying(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0666));
    } while (file_.get() < 0 && errno == EEXIST);
    if (file_.get() < 0) {
      const int error_number = errno;
      temporary_.clear();
      detail::throw_file_error("create a temporary file beside it", path_, error_number);
    }
  }
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile() { discard(); }

  /// Appends bytes to the temporary.
  void write(std::span<const std::byte> bytes) {
    constexpr std::size_t kMaxBytesPerCall = std::size_t{1} << 30;
    while (!bytes.empty()) {
      const ssize_t written =
          ::write(file_.get(), bytes.data(), std::min(bytes.size(), kMaxBytesPerCall));
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) fail("write", written < 0 ? errno : EIO);
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
  }
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }

  /// Puts the new version in the place of the old one; nothing may be written afterwards.
  void commit() {
    if (::fsync(file_.get()) != 0) fail("flush to disk (fsync)", errno);
    if (const int error_number = file_.close(); error_number != 0) fail("close", error_number);
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail("rename the new version to", errno);
    temporary_.clear();
    sync_directory(detail::folder_of(path_));
  }

 private:
  static std::filesystem::path resolve(const std::filesystem::path& path) {
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

  [[noreturn]] void fail(const std::string& operation, int error_number) {
    discard();
    detail::throw_file_error(operation, path_, error_number);
  }

  void discard() {
    file_.close();
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
    temporary_.clear();
  }

  std::filesystem::path path_;
  std::filesystem::path temporary_;  // empty when there is none
  detail::FileDescriptor file_;
};

/// Replaces a file by `bytes`, as a whole or not at all. Errors: as `AtomicFile`.
inline void write_file_atomically(const std::filesystem::path& path,
                                  std::span<const std::byte> bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}
inline void write_file_atomically(const std::filesystem::path& path, std::string_view text) {
  write_file_atomically(path, std::as_bytes(std::span(text)));
}

/// Removes temporaries, files and folders, that killed processes left in a folder; returns how
/// many.
///
/// Covers targets whose file name begins with `name_prefix`. The caller promises that nobody is
/// writing one of them at this moment.
/// Errors: Error when the folder cannot be listed or a temporary cannot be removed.
inline std::size_t remove_abandoned_temporaries(const std::filesystem::path& folder,
                                                std::string_view name_prefix) {
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

/// A whole file, mapped read-only into memory; pages are read from disk as they are touched.
///
/// `bytes()` is valid as long as the object lives. The file must not be shortened meanwhile (the
/// operating system would end the process); files replaced by `AtomicFile` never are.
/// Errors: Error when the file cannot be opened or mapped or is not a regular file.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path) {
    detail::FileDescriptor file(detail::open_retrying(path.c_str(), O_RDONLY));
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
  MappedFile(MappedFile&& other) noexcept
      : address_(std::exchange(other.address_, nullptr)),
        size_bytes_(std::exchange(other.size_bytes_, 0)) {}
  MappedFile& operator=(MappedFile&& other) noexcept {
    std::swap(address_, other.address_);
    std::swap(size_bytes_, other.size_bytes_);
    return *this;
  }
  ~MappedFile() {
    if (address_ != nullptr) ::munmap(const_cast<std::byte*>(address_), size_bytes_);
  }

  std::span<const std::byte> bytes() const { return {address_, size_bytes_}; }
  std::string_view text() const { return {reinterpret_cast<const char*>(address_), size_bytes_}; }

  /// Gives the memory of a part of `bytes()` back to the operating system, which reads it again
  /// when it is touched: what was used once need not stay.
  void forget(std::span<const std::byte> part) const {
    if (part.empty()) return;
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    const auto begin = static_cast<std::size_t>(part.data() - address_) / page * page;
    const std::size_t end = static_cast<std::size_t>(part.data() - address_) + part.size();
    ::madvise(const_cast<std::byte*>(address_) + begin, end - begin, MADV_DONTNEED);  // a hint
  }

 private:
  const std::byte* address_ = nullptr;
  std::size_t size_bytes_ = 0;
};

/// Reads a whole file, or anything that can be read to its end, into memory.
///
/// Errors: Error when it cannot be opened or read, or is a folder.
inline std::string read_file(const std::filesystem::path& path) {
  detail::FileDescriptor file(detail::open_retrying(path.c_str(), O_RDONLY));
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
