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

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"

namespace dualagent {

namespace detail {

[[noreturn]] void throw_file_error(const std::string& operation, const std::filesystem::path& path,
                                   int error_number);

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
  int close();

 private:
  int descriptor_ = -1;
};

/// Refuses a path of which the system would see the beginning alone: one with a NUL byte.
void require_whole_path(const std::filesystem::path& path);

/// Errors: as `require_whole_path`; -1 and errno for those of the system.
int open_retrying(const std::filesystem::path& path, int flags, mode_t mode = 0);

/// Temporaries of "FOLDER/NAME" are called "FOLDER/.NAME.partial-PROCESS-NUMBER".
inline constexpr std::string_view kTemporaryMark = ".partial-";

bool is_there(const std::filesystem::path& path);

std::filesystem::path folder_of(const std::filesystem::path& path);

}  // namespace detail

/// Makes the entries of a folder (creations, renames, removals) survive a power failure.
///
/// Errors: Error naming the folder. File systems that cannot do this (EINVAL) are accepted.
void sync_directory(const std::filesystem::path& directory);

/// Creates a folder and its parents where missing, durably.
///
/// Errors: Error naming the folder, e.g. when a part of the path is a file.
void ensure_directory(const std::filesystem::path& directory);

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
  explicit AtomicFile(const std::filesystem::path& path);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile() { discard(); }

  /// Appends bytes to the temporary.
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }

  /// Puts the new version in the place of the old one; nothing may be written afterwards.
  void commit();

 private:
  static std::filesystem::path resolve(const std::filesystem::path& path);

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
void write_file_atomically(const std::filesystem::path& path, std::span<const std::byte> bytes);
void write_file_atomically(const std::filesystem::path& path, std::string_view text);

/// Removes temporaries, files and folders, that killed processes left in a folder; returns how
/// many.
///
/// Covers targets whose file name begins with `name_prefix`. The caller promises that nobody is
/// writing one of them at this moment.
/// Errors: Error when the folder cannot be listed or a temporary cannot be removed.
std::size_t remove_abandoned_temporaries(const std::filesystem::path& folder,
                                         std::string_view name_prefix);

/// A whole file, mapped read-only into memory; pages are read from disk as they are touched.
///
/// `bytes()` is valid as long as the object lives. The file must not be shortened meanwhile (the
/// operating system would end the process); files replaced by `AtomicFile` never are.
/// Errors: Error when the file cannot be opened or mapped or is not a regular file.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path);
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
  void forget(std::span<const std::byte> part) const;

 private:
  const std::byte* address_ = nullptr;
  std::size_t size_bytes_ = 0;
};

/// Reads a whole file, or anything that can be read to its end, into memory.
///
/// Errors: Error when it cannot be opened or read, or is a folder.
std::string read_file(const std::filesystem::path& path);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/io/atomic_file.inl"
#endif
