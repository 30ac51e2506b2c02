#include "dualagent/io/record_log.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dualagent/core/random.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;

namespace {

constexpr RecordLogKind kKind{.magic = "TestLogs", .format = 3, .name = "a test log"};
using Records = std::vector<std::string>;

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

template <class Log = RecordLog>
Log open(const std::filesystem::path& path, Records& records) {
  return Log(path, kKind, [&](std::span<const std::byte> record) {
    records.emplace_back(reinterpret_cast<const char*>(record.data()), record.size());
  });
}

Records records_of(const std::filesystem::path& path) {
  Records records;
  open(path, records);
  return records;
}

/// A disk that fails, now and then or not at all, in every way that appending knows.
struct FaultyDisk {
  static inline RandomStream random;
  static inline std::uint64_t draws = 0;
  static inline std::uint64_t one_in = 0;  // 0: it does not fail
  static bool fails() { return one_in > 0 && random.below(draws++, one_in) == 0; }

  static ssize_t write(int descriptor, const void* bytes, std::size_t count) {
    if (fails()) return errno = EINTR, -1;
    if (fails()) return errno = fails() ? EIO : ENOSPC, -1;
    if (fails()) count = random.below(draws++, count) + 1;  // the rest comes later, or never
    return ::write(descriptor, bytes, count);
  }
  static int truncate(int descriptor, off_t size) {
    return fails() ? (errno = EIO, -1) : ::ftruncate(descriptor, size);
  }
  static int sync(int) { return fails() ? (errno = EIO, -1) : 0; }
};
using FaultyLog = BasicRecordLog<FaultyDisk>;

bool is_prefix(const Records& of, const Records& all) {
  return of.size() <= all.size() && std::equal(of.begin(), of.end(), all.begin());
}

}  // namespace

TEST_CASE("records come back in order, whatever they hold", "[io]") {
  const TemporaryFolder folder;
  const Records all{"one", "", std::string("\0\1\2", 3), std::string(100'000, 'x')};
  {
    Records none;
    RecordLog log = open(folder / "log", none);
    CHECK(none.empty());
    for (const std::string& record : all) log.append(bytes_of(record));
  }
  CHECK(records_of(folder / "log") == all);
  CHECK(records_of(folder / "log") == all);  // opening changes nothing
}

TEST_CASE("the format of a record log", "[io]") {
  const TemporaryFolder folder;
  Records none;
  open(folder / "log", none).append(bytes_of("ab"));
  const std::string bytes = read_file(folder / "log");
  REQUIRE(bytes.size() == 8 + 4 + 8 + 8 + 8 + 2);
  CHECK(bytes.substr(0, 12) == std::string("TestLogs\3\0\0\0", 12));
  const std::string size("\2\0\0\0\0\0\0\0", 8);
  CHECK(bytes.substr(20, 8) == size);
  CHECK(bytes.substr(36) == "ab");
  const std::uint64_t checksum = crc64(bytes_of(size + "ab"));
  CHECK(
      std::equal(bytes.begin() + 28, bytes.begin() + 36, reinterpret_cast<const char*>(&checksum)));
}

TEST_CASE("a log that was cut anywhere keeps its whole records and goes on", "[io]") {
  const TemporaryFolder folder;
  const Records all{"first", "second", "third"};
  Records none;
  {
    RecordLog log = open(folder / "log", none);
    for (const std::string& record : all) log.append(bytes_of(record));
  }
  const std::string bytes = read_file(folder / "log");
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    write_file_atomically(folder / "cut", std::string_view(bytes).substr(0, size));
    Records left;
    {
      RecordLog log = open(folder / "cut", left);
      const std::size_t whole = size < 20 + 21 ? 0 : size < 20 + 21 + 22 ? 1 : 2;
      CHECK(left == Records(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(whole)));
      log.append(bytes_of("new"));
    }
    left.emplace_back("new");
    CHECK(records_of(folder / "cut") == left);
  }
}

TEST_CASE("a changed byte costs its record and those after it, and no more", "[io]") {
  const TemporaryFolder folder;
  Records none;
  {
    RecordLog log = open(folder / "log", none);
    for (const char* record : {"first", "second", "third"}) log.append(bytes_of(record));
  }
  const std::string bytes = read_file(folder / "log");
  for (std::size_t i = 20; i < bytes.size(); ++i) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 0x20);
    write_file_atomically(folder / "changed", changed);
    Records left;
    const RecordLog log = open(folder / "changed", left);
    CHECK(left.size() == (i < 20 + 21 ? 0U : i < 20 + 21 + 22 ? 1U : 2U));
    CHECK(log.torn_bytes() > 0);
  }
}

TEST_CASE("what is not such a log is refused and left as it is", "[io]") {
  const TemporaryFolder folder;
  const std::string other = "{\"step\": 0, \"reward\": 1}\n";
  write_file_atomically(folder / "other", other);
  CHECK_THROWS_WITH(records_of(folder / "other"),
                    ContainsSubstring("not a test log of format 3") && ContainsSubstring("other"));
  CHECK(read_file(folder / "other") == other);
  Records none;
  open(folder / "log", none);
  CHECK_THROWS_WITH(RecordLog(folder / "log", {.magic = "TestLogs", .format = 4, .name = "a log"},
                              [](std::span<const std::byte>) {}),
                    ContainsSubstring("not a log of format 4"));
}

TEST_CASE("kills, lost power and a failing disk lose nothing that was promised", "[io]") {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder / "log";
  const RandomStream random = RandomStream::from_seed(5);
  FaultyDisk::random = random.child(0);
  std::uint64_t draws = 0;
  const auto below = [&](std::uint64_t n) { return random.child(1).below(draws++, n); };
  Records added;  // appended without an error
  std::size_t synced = 0, kills = 0, losses = 0, errors = 0;
  for (int life = 0; life < 400; ++life) {
    FaultyDisk::one_in = 0;
    std::uintmax_t synced_bytes = 0;
    {
      Records found;
      FaultyLog log = open<FaultyLog>(path, found);
      REQUIRE(found == added);
      synced_bytes = std::filesystem::file_size(path);
      synced = added.size();  // what was read is there; the power has not gone since
      FaultyDisk::one_in = life % 2 == 0 ? 0 : 12;
      for (std::uint64_t i = 0, records = below(8); i < records; ++i) {
        const std::string record = std::to_string(life) + std::string(below(40), '.');
        try {
          log.append(bytes_of(record));
          added.push_back(record);
          if (below(3) > 0) continue;
          log.sync();
          synced = added.size();
          synced_bytes = std::filesystem::file_size(path);
        } catch (const Error&) {
          ++errors;
        }
      }
    }
    if (below(2) == 0) {  // killed: what the system has stays, and perhaps a part of a record
      ++kills;
      std::string bytes = read_file(path);
      bytes += std::string("\7\0\0\0\0\0\0\0torn", 12).substr(0, below(13));
      write_file_atomically(path, bytes);
    } else {  // power: what was not flushed is there in part, and the rest may be zeros
      ++losses;
      std::string bytes = read_file(path);
      const std::size_t kept = synced_bytes + below(bytes.size() - synced_bytes + 1);
      if (below(2) == 0)
        bytes.resize(kept);
      else
        std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(kept), bytes.end(), '\0');
      write_file_atomically(path, bytes);
      const Records left = records_of(path);
      REQUIRE(is_prefix(left, added));
      REQUIRE(left.size() >= synced);
      added = left;
    }
  }
  CHECK(kills > 100);
  CHECK(losses > 100);
  CHECK(errors > 50);
}
