#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "dualagent/core/crc64.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/io/appended_file.hpp"
#include "dualagent/io/archive.hpp"
#include "dualagent/io/atomic_file.hpp"

namespace dualagent {

/// What a record log holds: the first bytes of its file, and how errors speak of it.
struct RecordLogKind {
  std::string_view magic;  ///< 8 letters
  std::uint32_t format = 1;
  std::string_view name;  ///< e.g. "the journal"
};

/// Records of any bytes in a file that only grows, each whole or not there.
///
/// A record is with the operating system before `append` returns (see AppendedFile) and has a
/// checksum, so that the reader knows where the whole ones end: at the first that a kill or a loss
/// of power has torn, which is cut off with all that follows it.
/// The file: 8 letters, the format (u32), the CRC-64/XZ of both (u64); then for each record its
/// size in bytes (u64), the CRC-64/XZ of size and bytes (u64), and the bytes. Little-endian.
/// Errors: Error with path and remedy when the file cannot be opened, read or written, and when it
/// is of another kind or format; then it is left as it is.
/// Example:
///   RecordLog log(path, kind, [&](std::span<const std::byte> record) { take(record); });
///   log.append(bytes);
template <class Calls = AppendCalls>
class BasicRecordLog {
 public:
  /// Opens or creates the file and hands all whole records to `take`, in order.
  template <class Take>
  BasicRecordLog(const std::filesystem::path& path, const RecordLogKind& kind, Take&& take)
      : file_(open(path, kind, std::forward<Take>(take), torn_bytes_)) {}

  void append(std::span<const std::byte> record) {
    frame_ = {};
    frame_.count(record.size());
    frame_.number(checksum(record));
    frame_.numbers(std::span(reinterpret_cast<const char*>(record.data()), record.size()));
    file_.append(frame_.bytes());
  }

  /// Makes all records survive a loss of power; see AppendedFile::sync.
  void sync() { file_.sync(); }

  /// Bytes of a torn end that were cut off when the file was opened.
  std::uint64_t torn_bytes() const { return torn_bytes_; }
  const std::filesystem::path& path() const { return file_.path(); }

 private:
  using File = BasicAppendedFile<Calls>;
  static constexpr std::size_t kFrameBytes = 8 + 8;

  static std::uint64_t checksum(std::span<const std::byte> record) {
    const std::uint64_t size = record.size();
    Crc64 crc;
    crc.update(std::as_bytes(std::span(&size, 1)));
    crc.update(record);
    return crc.value();
  }

  static ArchiveWriter header(const RecordLogKind& kind) {
    ArchiveWriter out;
    out.numbers(std::span<const char>(kind.magic));
    out.number(kind.format);
    out.number(crc64(out.bytes()));
    return out;
  }

  template <class Take>
  static File open(const std::filesystem::path& path, const RecordLogKind& kind, Take&& take,
                   std::uint64_t& torn_bytes) {
    const ArchiveWriter expected = header(kind);
    const std::string text = detail::is_there(path) ? read_file(path) : std::string();
    const auto bytes = std::as_bytes(std::span(text));
    const std::size_t known = std::min(bytes.size(), expected.bytes().size());
    if (!std::equal(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(known),
                    expected.bytes().begin()))
      throw Error(
          "the file is not " + std::string(kind.name) + " of format " + std::to_string(kind.format),
          path.string(), "Move it away, or use the library version that wrote it");
    if (known < expected.bytes().size()) {  // new, or its maker was killed
      torn_bytes = 0;
      File file = File::create(path, std::string(kind.name));
      file.append(expected.bytes());
      file.sync();
      sync_directory(detail::folder_of(path));
      return file;
    }
    std::size_t end = known;
    while (const std::size_t size = whole_record(bytes.subspan(end))) {
      take(bytes.subspan(end + kFrameBytes, size - kFrameBytes));
      end += size;
    }
    torn_bytes = bytes.size() - end;
    return File::keep(path, std::string(kind.name), end);
  }

  /// Bytes of the record that `bytes` begins with, its frame included; 0 if it is not whole.
  static std::size_t whole_record(std::span<const std::byte> bytes) {
    if (bytes.size() < kFrameBytes) return 0;
    ArchiveReader frame(bytes.first(kFrameBytes), "a record log");
    const auto size = frame.number<std::uint64_t>("a record's size");
    const auto checked = frame.number<std::uint64_t>("a record's checksum");
    if (size > bytes.size() - kFrameBytes) return 0;
    const std::size_t record = static_cast<std::size_t>(size);
    return checksum(bytes.subspan(kFrameBytes, record)) == checked ? kFrameBytes + record : 0;
  }

  std::uint64_t torn_bytes_ = 0;  // before file_, whose maker sets it
  File file_;
  ArchiveWriter frame_;
};

using RecordLog = BasicRecordLog<>;

}  // namespace dualagent
