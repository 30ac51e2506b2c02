#include "dualagent/train/checkpoint.hpp"

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/file_faults.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;
namespace fs = std::filesystem;

namespace {

const std::vector<float> kWeights{0.5F, -1.25F, std::numeric_limits<float>::quiet_NaN(), 3e-39F};
const std::vector<double> kMoments{1.0 / 3, -0.0};
const std::vector<std::int32_t> kTokens{1, -2, 3};
const std::vector<std::int64_t> kCounts{-1};
const std::vector<std::uint64_t> kKeys{~std::uint64_t{0}, 5};
const std::vector<std::uint8_t> kBytes{0, 255, 128};
const RunFingerprint kOptions{{"seed", "3"}, {"learning_rate", "0.001"}};

Checkpoint checkpoint_at(std::uint64_t step) {
  return {.step = step,
          .fingerprint = kOptions,
          .texts = {{"data_position", "112"}, {"note", "quotes \" and \xC3\xBC\n"}},
          .arrays = {{"weights", std::span<const float>(kWeights)},
                     {"moments", std::span<const double>(kMoments)},
                     {"tokens", std::span<const std::int32_t>(kTokens)},
                     {"counts", std::span<const std::int64_t>(kCounts)},
                     {"keys", std::span<const std::uint64_t>(kKeys)},
                     {"bytes", std::span<const std::uint8_t>(kBytes)},
                     {"empty", std::span<const float>()}}};
}

std::vector<std::string> files_of(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

void put(const fs::path& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

void flip_a_bit(const fs::path& path) {
  std::string bytes = read_file(path);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 4);
  put(path, bytes);
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

std::string message_of(const auto& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("a checkpoint comes back bit by bit", "[train][checkpoint]") {
  const TemporaryFolder folder;
  const fs::path path = write_checkpoint(folder / "run" / "saved", checkpoint_at(42));
  CHECK(path == folder / "run" / "saved" / "checkpoint-000000000042.safetensors");
  const LatestCheckpoint latest = latest_checkpoint(folder / "run" / "saved", kOptions);
  CHECK(latest.skipped.empty());
  REQUIRE(latest.checkpoint);
  const StoredCheckpoint& stored = *latest.checkpoint;
  CHECK(stored.step() == 42);
  CHECK(stored.library_version() == kVersion);
  CHECK(stored.fingerprint() == kOptions);
  CHECK(stored.texts() == checkpoint_at(42).texts);
  CHECK(stored.text("data_position") == "112");
  CHECK(same_bits(stored.values<float>("weights"), kWeights));
  CHECK(same_bits(stored.values<double>("moments"), kMoments));
  CHECK(same_bits(stored.values<std::int32_t>("tokens"), kTokens));
  CHECK(same_bits(stored.values<std::int64_t>("counts"), kCounts));
  CHECK(same_bits(stored.values<std::uint64_t>("keys"), kKeys));
  CHECK(same_bits(stored.values<std::uint8_t>("bytes"), kBytes));
  CHECK(stored.values<float>("empty").empty());
  CHECK(stored.has_array("weights"));
  CHECK(!stored.has_array("weight"));
}

TEST_CASE("equal checkpoints are equal bytes, sealed by a CRC of all before it",
          "[train][checkpoint]") {
  const TemporaryFolder folder;
  const std::string a = read_file(write_checkpoint(folder / "a", checkpoint_at(1)));
  const std::string b = read_file(write_checkpoint(folder / "b", checkpoint_at(1)));
  CHECK(a == b);
  std::uint64_t sealed = 0;
  std::memcpy(&sealed, a.data() + a.size() - 8, 8);
  // Bit by bit, without tables: the reflected ECMA-182 polynomial.
  std::uint64_t crc = ~std::uint64_t{0};
  for (std::size_t i = 0; i + 8 < a.size(); ++i) {
    crc ^= static_cast<unsigned char>(a[i]);
    for (int bit = 0; bit < 8; ++bit)
      crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xC96C5795D7870F42ULL : 0);
  }
  CHECK(sealed == ~crc);
  CHECK(SafeTensors::open(folder / "a" / checkpoint_file_name(1)).tensors().size() == 8);
}

TEST_CASE("an empty checkpoint is one too", "[train][checkpoint]") {
  const TemporaryFolder folder;
  write_checkpoint(folder.path(), {.step = 0});
  const LatestCheckpoint latest = latest_checkpoint(folder.path(), {});
  REQUIRE(latest.checkpoint);
  CHECK(latest.checkpoint->step() == 0);
  CHECK(latest.checkpoint->texts().empty());
}

TEST_CASE("a folder without checkpoints, or none at all, is a fresh start", "[train][checkpoint]") {
  const TemporaryFolder folder;
  CHECK(!latest_checkpoint(folder / "missing", kOptions).checkpoint);
  put(folder / "notes.txt", "hello");
  put(folder / "checkpoint-7.safetensors", "not padded: not ours");
  put(folder / "checkpoint-00000000000x.safetensors", "no number");
  put(folder / "checkpoint-000000000007.safetensors.damaged", "set aside");
  const LatestCheckpoint latest = latest_checkpoint(folder.path(), kOptions);
  CHECK(!latest.checkpoint);
  CHECK(latest.skipped.empty());
  put(folder / "file", "x");
  CHECK_THROWS_AS(latest_checkpoint(folder / "file", kOptions), Error);
}

TEST_CASE("the newest checkpoints are kept, as many as asked for", "[train][checkpoint]") {
  const TemporaryFolder folder;
  for (std::uint64_t step = 1; step <= 5; ++step) {
    write_checkpoint(folder.path(), checkpoint_at(step), {.keep_last = 3});
    CHECK(folder.entries() == std::min<std::size_t>(step, 3));
  }
  CHECK(files_of(folder.path()) ==
        std::vector{checkpoint_file_name(3), checkpoint_file_name(4), checkpoint_file_name(5)});
  write_checkpoint(folder.path(), checkpoint_at(5), {.keep_last = 1});  // the same step again
  CHECK(files_of(folder.path()) == std::vector{checkpoint_file_name(5)});
  CHECK_THROWS_WITH(write_checkpoint(folder.path(), checkpoint_at(6), {.keep_last = 0}),
                    ContainsSubstring("keep_last is 0"));
}

TEST_CASE("a damaged checkpoint does not count as kept", "[train][checkpoint]") {
  const TemporaryFolder folder;
  for (std::uint64_t step = 1; step <= 3; ++step)
    write_checkpoint(folder.path(), checkpoint_at(step), {.keep_last = 3});
  flip_a_bit(folder / checkpoint_file_name(3));
  write_checkpoint(folder.path(), checkpoint_at(4), {.keep_last = 2});
  // 4 and 2 are the newest two good ones; 3 stays beside them, 1 goes.
  CHECK(files_of(folder.path()) ==
        std::vector{checkpoint_file_name(2), checkpoint_file_name(3), checkpoint_file_name(4)});
}

TEST_CASE("a damaged newest checkpoint is skipped with a message", "[train][checkpoint]") {
  const TemporaryFolder folder;
  write_checkpoint(folder.path(), checkpoint_at(1));
  write_checkpoint(folder.path(), checkpoint_at(2));
  flip_a_bit(folder / checkpoint_file_name(2));
  const LatestCheckpoint latest = latest_checkpoint(folder.path(), kOptions);
  REQUIRE(latest.checkpoint);
  CHECK(latest.checkpoint->step() == 1);
  REQUIRE(latest.skipped.size() == 1);
  CHECK_THAT(latest.skipped[0], ContainsSubstring(checkpoint_file_name(2)) &&
                                    ContainsSubstring("checksum does not fit"));
  CHECK_THROWS_WITH(StoredCheckpoint::open(folder / checkpoint_file_name(2)),
                    ContainsSubstring("checkpoint is damaged") &&
                        ContainsSubstring("Remove it and resume from an earlier one"));
}

TEST_CASE("only damaged checkpoints are an error, never a silent fresh start",
          "[train][checkpoint]") {
  const TemporaryFolder folder;
  write_checkpoint(folder.path(), checkpoint_at(1));
  write_checkpoint(folder.path(), checkpoint_at(2));
  flip_a_bit(folder / checkpoint_file_name(1));
  put(folder / checkpoint_file_name(2), "");
  CHECK_THROWS_WITH(latest_checkpoint(folder.path(), kOptions),
                    ContainsSubstring("every checkpoint is damaged") &&
                        ContainsSubstring(checkpoint_file_name(1)) &&
                        ContainsSubstring(checkpoint_file_name(2)) &&
                        ContainsSubstring("Restore one from a backup"));
}

TEST_CASE("a checkpoint cut at any byte is found out", "[train][checkpoint]") {
  const TemporaryFolder folder;
  const std::string whole = read_file(write_checkpoint(folder.path(), checkpoint_at(7)));
  REQUIRE(whole.size() < 3000);
  const fs::path path = folder / "cut";
  std::size_t refused = 0;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    put(path, std::string_view(whole).substr(0, size));
    const std::string message = message_of([&] { StoredCheckpoint::open(path); });
    refused += message.find("checkpoint is damaged") != std::string::npos ? 1 : 0;
  }
  CHECK(refused == whole.size());
  put(path, whole + '\0');
  CHECK_THROWS_AS(StoredCheckpoint::open(path), Error);
  put(path, whole);
  CHECK(StoredCheckpoint::open(path).step() == 7);
}

TEST_CASE("any changed byte of a checkpoint is found out", "[train][checkpoint]") {
  const TemporaryFolder folder;
  std::string bytes = read_file(write_checkpoint(folder.path(), checkpoint_at(7)));
  std::size_t accepted = 0;
  for (char& byte : bytes) {
    const char before = byte;
    byte = static_cast<char>(byte ^ 0x10);
    try {
      StoredCheckpoint::view(std::as_bytes(std::span(bytes)), "memory");
      ++accepted;
    } catch (const Error&) {
    }
    byte = before;
  }
  CHECK(accepted == 0);
  CHECK_NOTHROW(StoredCheckpoint::view(std::as_bytes(std::span(bytes)), "memory"));
}

TEST_CASE("a run with other options is refused, every one of them named", "[train][checkpoint]") {
  const TemporaryFolder folder;
  write_checkpoint(folder.path(), checkpoint_at(1));
  const std::string message = message_of([&] {
    latest_checkpoint(folder.path(), {{"seed", "4"}, {"tasks", "mine.jsonl"}});
  });
  CHECK_THAT(message, ContainsSubstring("learning_rate was 0.001 and is not set") &&
                          ContainsSubstring("seed was 3 and is 4") &&
                          ContainsSubstring("tasks was not set and is mine.jsonl"));
  CHECK(message_of([&] { latest_checkpoint(folder.path(), kOptions); }) == "no error");
}

TEST_CASE("a damaged newer file does not hide that the options differ", "[train][checkpoint]") {
  const TemporaryFolder folder;
  write_checkpoint(folder.path(), checkpoint_at(1));
  put(folder / checkpoint_file_name(2), "half a file");
  CHECK_THROWS_WITH(latest_checkpoint(folder.path(), {}), ContainsSubstring("seed was 3"));
}

TEST_CASE("asking for what a checkpoint lacks says so", "[train][checkpoint]") {
  const TemporaryFolder folder;
  const StoredCheckpoint stored =
      StoredCheckpoint::open(write_checkpoint(folder.path(), checkpoint_at(1)));
  CHECK_THROWS_WITH(stored.text("rng"), ContainsSubstring("no text \"rng\""));
  CHECK_THROWS_WITH(stored.values<float>("bias"), ContainsSubstring("no array \"bias\""));
  CHECK_THROWS_WITH(stored.values<double>("weights"),
                    ContainsSubstring("\"weights\" is of type F32, expected F64"));
  std::vector<float> wrong_size(3);
  CHECK_THROWS_WITH(stored.copy_to<float>("weights", wrong_size),
                    ContainsSubstring("4 elements, expected 3"));
}

TEST_CASE("a checkpoint of another format or a plain model file is refused by name",
          "[train][checkpoint]") {
  const TemporaryFolder folder;
  std::string bytes = read_file(write_checkpoint(folder.path(), checkpoint_at(1)));
  const auto sealed = [&](std::string text, const std::string& from, const std::string& to) {
    text.replace(text.find(from), from.size(), to);
    const std::uint64_t crc =
        crc64(std::as_bytes(std::span(text)).first(text.size() - sizeof(std::uint64_t)));
    std::memcpy(text.data() + text.size() - sizeof crc, &crc, sizeof crc);
    return message_of([&] { StoredCheckpoint::view(std::as_bytes(std::span(text)), "memory"); });
  };
  CHECK(sealed(bytes, "checkpoint_format\":\"1\"", "checkpoint_format\":\"1\"") == "no error");
  CHECK_THAT(sealed(bytes, "checkpoint_format\":\"1\"", "checkpoint_format\":\"2\""),
             ContainsSubstring("checkpoint has format 2, this library reads format 1"));
  CHECK_THAT(sealed(bytes, "dualagent.step\":\"1\"", "dualagent.step\":\"x\""),
             ContainsSubstring("no valid step number"));
  CHECK_THAT(sealed(bytes, "checkpoint_format", "checkpoint_farmot"),
             ContainsSubstring("no metadata \"dualagent.checkpoint_format\""));
}

TEST_CASE("an earlier step is not written over another run's later one", "[train][checkpoint]") {
  const TemporaryFolder folder;
  write_checkpoint(folder.path(), checkpoint_at(9));
  CHECK_THROWS_WITH(write_checkpoint(folder.path(), checkpoint_at(3)),
                    ContainsSubstring("already a checkpoint of the later step 9") &&
                        ContainsSubstring("step 3 is not written"));
  CHECK(files_of(folder.path()) == std::vector{checkpoint_file_name(9)});
  flip_a_bit(folder / checkpoint_file_name(9));  // a damaged one is set aside, not lost
  write_checkpoint(folder.path(), checkpoint_at(3));
  CHECK(files_of(folder.path()) ==
        std::vector{checkpoint_file_name(3), checkpoint_file_name(9) + ".damaged"});
}

TEST_CASE("temporaries of a killed run are removed", "[train][checkpoint]") {
  const TemporaryFolder folder;
  put(folder / ".checkpoint-000000000002.safetensors.partial-123-0", "half");
  put(folder / ".other.partial-123-0", "not ours");
  write_checkpoint(folder.path(), checkpoint_at(3));
  CHECK(files_of(folder.path()) ==
        std::vector<std::string>{".other.partial-123-0", checkpoint_file_name(3)});
}

TEST_CASE("a full disk keeps the last good checkpoint", "[train][checkpoint]") {
  const TemporaryFolder folder;
  const std::vector<float> large(64 * 1024, 1.0F);  // 256 KiB
  const auto write_large = [&] {
    return message_of([&] {
      write_checkpoint(folder.path(), {.step = 2,
                                       .fingerprint = kOptions,
                                       .arrays = {{"weights", std::span<const float>(large)}}});
    });
  };
  write_checkpoint(folder.path(), checkpoint_at(1));
  {
    const FileSizeLimit limit(16 * 1024);
    CHECK_THAT(write_large(),
               ContainsSubstring("cannot write") && ContainsSubstring(checkpoint_file_name(2)));
  }
  CHECK(files_of(folder.path()) == std::vector{checkpoint_file_name(1)});  // no half file either
  CHECK(latest_checkpoint(folder.path(), kOptions).checkpoint->step() == 1);

  const std::string found = on_tiny_disk(folder.path(), [&] {
    write_checkpoint(folder.path(), checkpoint_at(1));
    const std::string message = write_large();
    const LatestCheckpoint latest = latest_checkpoint(folder.path(), kOptions);
    return message + "; step " + std::to_string(latest.checkpoint->step()) + ", " +
           std::to_string(folder.entries()) + " file";
  });
  if (found.rfind(kFaultImpossible, 0) == 0)
    WARN(found);
  else
    CHECK_THAT(found, ContainsSubstring("No space left") && ContainsSubstring("; step 1, 1 file"));
}

TEST_CASE("a folder without write permission is a clear error", "[train][checkpoint]") {
  const TemporaryFolder folder;
  write_checkpoint(folder.path(), checkpoint_at(1));
  const std::string found = without_write_permission(folder.path(), [&] {
    return message_of([&] { write_checkpoint(folder.path(), checkpoint_at(2)); });
  });
  if (found.rfind(kFaultImpossible, 0) == 0)
    WARN(found);
  else
    CHECK_THAT(found, ContainsSubstring("Permission denied") &&
                          ContainsSubstring(checkpoint_file_name(2)));
  CHECK(latest_checkpoint(folder.path(), kOptions).checkpoint->step() == 1);
  put(folder / "file", "x");
  CHECK_THROWS_WITH(write_checkpoint(folder / "file" / "below", checkpoint_at(1)),
                    ContainsSubstring("cannot create the folder"));
}

TEST_CASE("a process killed while it writes leaves the last checkpoint whole",
          "[train][checkpoint]") {
  const TemporaryFolder folder;
  write_checkpoint(folder.path(), checkpoint_at(1));
  // The signal of an exceeded file size ends the child in the middle of its write, as kill -9 does.
  const std::vector<float> large(64 * 1024, 1.0F);
  const std::string found = in_child([&]() -> std::string {
    const FileSizeLimit limit(16 * 1024);
    std::signal(SIGXFSZ, SIG_DFL);
    write_checkpoint(folder.path(),
                     {.step = 2, .arrays = {{"weights", std::span<const float>(large)}}});
    return "written";
  });
  CHECK(found == "the child process crashed");
  CHECK(folder.entries() == 2);  // its temporary is left behind
  CHECK(latest_checkpoint(folder.path(), kOptions).checkpoint->step() == 1);
  write_checkpoint(folder.path(), checkpoint_at(2));
  CHECK(files_of(folder.path()) == std::vector{checkpoint_file_name(1), checkpoint_file_name(2)});
}

TEST_CASE("names of files sort by step", "[train][checkpoint]") {
  CHECK(checkpoint_file_name(0) == "checkpoint-000000000000.safetensors");
  CHECK(checkpoint_file_name(9) < checkpoint_file_name(10));
  CHECK(checkpoint_file_name(999'999'999'999) == "checkpoint-999999999999.safetensors");
  const TemporaryFolder folder;  // a step too large for twelve digits still comes back
  const std::uint64_t huge = std::numeric_limits<std::uint64_t>::max();
  write_checkpoint(folder.path(), checkpoint_at(huge));
  CHECK(latest_checkpoint(folder.path(), kOptions).checkpoint->step() == huge);
}
