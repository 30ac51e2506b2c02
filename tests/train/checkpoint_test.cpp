#include "dualagent/train/checkpoint.hpp"

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/checkpoints.hpp"
#include "support/error_of.hpp"
#include "support/file_faults.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;
using namespace checkpoints;
namespace fs = std::filesystem;

namespace {

std::vector<std::string> files_of(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

void flip_a_bit(const fs::path& path) {
  std::string bytes = read_file(path);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 4);
  put(path, bytes);
}

}  // namespace

TEST_CASE("a run's folder is made, and its newest checkpoint found", "[train][checkpoint]") {
  const TemporaryFolder folder;
  const fs::path path = write_checkpoint(folder / "run" / "saved", checkpoint_at(42));
  CHECK(path == folder / "run" / "saved" / "checkpoint-000000000042.safetensors");
  const LatestCheckpoint latest = latest_checkpoint(folder / "run" / "saved", kOptions);
  CHECK(latest.skipped.empty());
  REQUIRE(latest.checkpoint);
  CHECK(latest.checkpoint->step() == 42);
  CHECK(latest.checkpoint->texts() == checkpoint_at(42).texts);
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

TEST_CASE("a folder's name is not cut off at a NUL byte", "[train][checkpoint]") {
  const TemporaryFolder folder;
  write_checkpoint(folder.path(), Checkpoint{.step = 1});
  const std::filesystem::path cut = folder.path().string() + std::string("\0b", 2);
  CHECK_THAT(error_of([&] { detail::list_checkpoints(cut); }),
             ContainsSubstring("a path has a NUL byte"));
  CHECK_THAT(error_of([&] { write_checkpoint(cut, Checkpoint{.step = 2}); }),
             ContainsSubstring("a path has a NUL byte"));
  CHECK(detail::list_checkpoints(folder.path()).size() == 1);
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

TEST_CASE("a run with other options is refused, every one of them named", "[train][checkpoint]") {
  const TemporaryFolder folder;
  write_checkpoint(folder.path(), checkpoint_at(1));
  const std::string message = error_of([&] {
    latest_checkpoint(folder.path(), {{"seed", "4"}, {"tasks", "mine.jsonl"}});
  });
  CHECK_THAT(message, ContainsSubstring("learning_rate was 0.001 and is not set") &&
                          ContainsSubstring("seed was 3 and is 4") &&
                          ContainsSubstring("tasks was not set and is mine.jsonl"));
  CHECK(error_of([&] { latest_checkpoint(folder.path(), kOptions); }) == "no error");
}

TEST_CASE("a damaged newer file does not hide that the options differ", "[train][checkpoint]") {
  const TemporaryFolder folder;
  write_checkpoint(folder.path(), checkpoint_at(1));
  put(folder / checkpoint_file_name(2), "half a file");
  CHECK_THROWS_WITH(latest_checkpoint(folder.path(), {}), ContainsSubstring("seed was 3"));
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

TEST_CASE("checkpoints after a step are removed, those up to it and other files stay",
          "[train][checkpoint]") {
  const TemporaryFolder folder;
  for (const std::uint64_t step : {3U, 4U, 11U})
    write_checkpoint(folder.path(), checkpoint_at(step), {.keep_last = 3});
  put(folder / "notes.txt", "mine");
  remove_checkpoints_after(folder.path(), 3);
  CHECK(files_of(folder.path()) ==
        std::vector<std::string>{"checkpoint-000000000003.safetensors", "notes.txt"});
  remove_checkpoints_after(folder / "missing", 3);  // nothing to remove
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
    return error_of([&] {
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
    return error_of([&] { write_checkpoint(folder.path(), checkpoint_at(2)); });
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
