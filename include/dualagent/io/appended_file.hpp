#pragma once

#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "dualagent/core/error.hpp"
#include "dualagent/io/atomic_file.hpp"

namespace dualagent {

/// The system calls that change an appended file, as they are. Tests put failing ones in their
/// place.
struct AppendCalls {
  static ssize_t write(int descriptor, const void* bytes, std::size_t count) {
    return ::write(descriptor, bytes, count);
  }
  static int truncate(int descriptor, off_t size) { return ::ftruncate(descriptor, size); }
  static int sync(int descriptor) { return ::fdatasync(descriptor); }
};

/// A file that only grows, by pieces that are there whole or not at all.
///
/// A piece is with the operating system before `append` returns: a process that is killed then
/// loses none. One that failed half-way (disk full) is taken back; where even that fails, it is
/// taken back before the next piece, which is else refused. A process that is killed within
/// `append`, and a machine that loses its power, may leave a part of a piece behind: pieces need a
/// mark of their end.
/// Errors: Error with operation, path, reason and remedy. `name` is what errors call the file.
template <class Calls = AppendCalls>
class BasicAppendedFile {
 public:
  /// Starts an empty file; an existing one is emptied.
  static BasicAppendedFile create(const std::filesystem::path& path, std::string name) {
    return BasicAppendedFile(path, std::move(name), O_CREAT | O_TRUNC, 0);
  }
  /// Goes on behind the first `size_bytes` of an existing file; the rest is cut off.
  static BasicAppendedFile keep(const std::filesystem::path& path, std::string name,
                                std::uint64_t size_bytes) {
    BasicAppendedFile file(path, std::move(name), 0, size_bytes);
    file.cut();
    return file;
  }

  void append(std::span<const std::byte> piece) {
    if (has_rest_) cut();
    for (std::size_t done = 0; done < piece.size();) {
      const ssize_t written = Calls::write(file_.get(), piece.data() + done, piece.size() - done);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) {
        const int error_number = written < 0 ? errno : EIO;
        has_rest_ = done > 0;
        if (has_rest_) cut();
        detail::throw_file_error("write " + name_, path_, error_number);
      }
      done += static_cast<std::size_t>(written);
    }
    size_bytes_ += piece.size();
  }
  void append(std::string_view text) { append(std::as_bytes(std::span(text))); }

  /// Makes all pieces survive a loss of power. After a failure it fails for good: what the system
  /// could not write then it may have forgotten, and a later success would not speak of it.
  void sync() {
    if (sync_error_ == 0) {
      int result = 0;
      do result = Calls::sync(file_.get());
      while (result != 0 && errno == EINTR);
      if (result == 0) return;
      sync_error_ = errno;
    }
    detail::throw_file_error("flush " + name_ + " to disk (fdatasync)", path_, sync_error_);
  }

  const std::filesystem::path& path() const { return path_; }
  /// Of all whole pieces.
  std::uint64_t size_bytes() const { return size_bytes_; }

 private:
  BasicAppendedFile(const std::filesystem::path& path, std::string name, int flags,
                    std::uint64_t size_bytes)
      : path_(path),
        name_(std::move(name)),
        file_(detail::open_retrying(path, O_WRONLY | O_APPEND | flags, 0666)),
        size_bytes_(size_bytes) {
    if (file_.get() < 0) detail::throw_file_error("open " + name_, path_, errno);
  }

  void cut() {
    int result = 0;
    do result = Calls::truncate(file_.get(), static_cast<off_t>(size_bytes_));
    while (result != 0 && errno == EINTR);
    if (result != 0) detail::throw_file_error("cut " + name_, path_, errno);
    has_rest_ = false;
  }

  std::filesystem::path path_;
  std::string name_;
  detail::FileDescriptor file_;
  std::uint64_t size_bytes_ = 0;
  bool has_rest_ = false;  // a part of a piece that failed
  int sync_error_ = 0;
};

using AppendedFile = BasicAppendedFile<>;

}  // namespace dualagent
