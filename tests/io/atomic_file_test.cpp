#include "dualagent/io/atomic_file.hpp"

#include <sys/stat.h>

#include <filesystem>
#include <string>

#include "support/catch.hpp"
#include "support/file_faults.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;

namespace {

/// What writing `text` to `path` throws; empty when it works.
std::string error_of_writing(const std::filesystem::path& path, const std::string& text) {
  try {
    write_file_atomically(path, text);
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a file written atomically holds exactly the bytes", "[io][atomic_file]") {
  const TemporaryFolder folder;
  const std::string text("a\0b\r\n\xFF", 6);
  write_file_atomically(folder / "data.bin", text);
  CHECK(read_file(folder / "data.bin") == text);
  CHECK(MappedFile(folder / "data.bin").text() == text);
  CHECK(folder.entries() == 1);
}

TEST_CASE("writing again replaces the whole file, also by an empty one", "[io][atomic_file]") {
  const TemporaryFolder folder;
  write_file_atomically(folder / "a", "a long first version");
  write_file_atomically(folder / "a", "short");
  CHECK(read_file(folder / "a") == "short");
  write_file_atomically(folder / "a", "");
  CHECK(read_file(folder / "a").empty());
  CHECK(MappedFile(folder / "a").bytes().empty());
  CHECK(folder.entries() == 1);
}

TEST_CASE("pieces are appended in order and appear only at commit", "[io][atomic_file]") {
  const TemporaryFolder folder;
  write_file_atomically(folder / "a", "old");
  {
    AtomicFile file(folder / "a");
    file.write("new ");
    file.write("version");
    CHECK(read_file(folder / "a") == "old");
    file.commit();
  }
  CHECK(read_file(folder / "a") == "new version");
}

TEST_CASE("an atomic file that is not committed leaves no trace", "[io][atomic_file]") {
  const TemporaryFolder folder;
  write_file_atomically(folder / "a", "old");
  {
    AtomicFile file(folder / "a");
    file.write("never");
    CHECK(folder.entries() == 2);
  }
  CHECK(read_file(folder / "a") == "old");
  CHECK(folder.entries() == 1);
}

TEST_CASE("two writers of one file do not mix their bytes", "[io][atomic_file]") {
  const TemporaryFolder folder;
  AtomicFile first(folder / "a");
  AtomicFile second(folder / "a");
  first.write("first");
  second.write("second");
  second.commit();
  first.commit();
  CHECK(read_file(folder / "a") == "first");
  CHECK(folder.entries() == 1);
}

TEST_CASE("a file that cannot grow gives an error and keeps the old version", "[io][atomic_file]") {
  const TemporaryFolder folder;
  write_file_atomically(folder / "a", "old");
  std::string error;
  {
    const FileSizeLimit limit(1000);
    error = error_of_writing(folder / "a", std::string(5000, 'x'));
  }
  INFO(error);
  CHECK(contains(error, "cannot write"));
  CHECK(contains(error, (folder / "a").string()));
  CHECK(contains(error, "ulimit"));
  CHECK(read_file(folder / "a") == "old");
  CHECK(folder.entries() == 1);
}

TEST_CASE("a full disk gives an error and keeps the old version", "[io][atomic_file]") {
  const TemporaryFolder folder;
  const std::string result = on_tiny_disk(folder.path(), [&] {
    write_file_atomically(folder / "a", "old");
    const std::string error = error_of_writing(folder / "a", std::string(200'000, 'x'));
    if (read_file(folder / "a") != "old") return std::string("the old file is lost");
    if (folder.entries() != 1) return std::string("a temporary is left");
    return error;
  });
  if (result.rfind(kFaultImpossible, 0) == 0) {
    WARN(result);
    return;
  }
  INFO(result);
  CHECK(contains(result, "cannot write: No space left on device"));
  CHECK(contains(result, "free some space"));
}

TEST_CASE("a folder without write permission gives an error", "[io][atomic_file]") {
  const TemporaryFolder folder;
  write_file_atomically(folder / "a", "old");
  const std::string result = without_write_permission(
      folder.path(), [&] { return error_of_writing(folder / "a", "new"); });
  if (result.rfind(kFaultImpossible, 0) == 0) {
    WARN(result);
    return;
  }
  INFO(result);
  CHECK(contains(result, "Permission denied"));
  CHECK(contains(result, "Check the permissions"));
  CHECK(read_file(folder / "a") == "old");
}

TEST_CASE("paths that cannot be files are refused with a remedy", "[io][atomic_file]") {
  const TemporaryFolder folder;
  write_file_atomically(folder / "file", "x");
  CHECK(contains(error_of_writing(folder.path(), "x"), "name a file"));
  CHECK(contains(error_of_writing(folder / "missing/a", "x"), "the folder must exist"));
  CHECK(contains(error_of_writing(folder / "file/a", "x"), "is a file, not a folder"));
  CHECK(contains(error_of_writing(folder / std::string(300, 'n'), "x"), "shorter name"));
  CHECK(contains(error_of_writing("/dev/full", "x"), "not a regular file"));
  CHECK(contains(error_of_writing("", "x"), "cannot"));
  CHECK(std::filesystem::is_character_file("/dev/full"));
}

TEST_CASE("a rename that fails is an error and removes the temporary", "[io][atomic_file]") {
  const TemporaryFolder folder;
  AtomicFile file(folder / "a");
  file.write("x");
  std::filesystem::create_directory(folder / "a");
  CHECK_THROWS_AS(file.commit(), Error);
  CHECK(folder.entries() == 1);
  CHECK(std::filesystem::is_directory(folder / "a"));
}

TEST_CASE("a symbolic link stays and its target is replaced", "[io][atomic_file]") {
  const TemporaryFolder folder;
  write_file_atomically(folder / "target", "old");
  std::filesystem::create_symlink("target", folder / "link");
  write_file_atomically(folder / "link", "new");
  CHECK(std::filesystem::is_symlink(folder / "link"));
  CHECK(read_file(folder / "target") == "new");
}

TEST_CASE("temporaries of killed writers are removed, other files are not", "[io][atomic_file]") {
  const TemporaryFolder folder;
  const std::string result = in_child([&]() -> std::string {
    AtomicFile file(folder / "weights.bin");
    file.write("half");
    ::_exit(0);  // no destructor runs, as after kill -9
  });
  CHECK(result.empty());
  write_file_atomically(folder / "weights.bin", "x");
  write_file_atomically(folder / ".other.partial-1-0", "x");
  CHECK(folder.entries() == 3);
  CHECK(remove_abandoned_temporaries(folder.path(), "weights") == 1);
  CHECK(folder.entries() == 2);
  CHECK(read_file(folder / "weights.bin") == "x");
}

TEST_CASE("reading says what is wrong with the path", "[io][atomic_file]") {
  const TemporaryFolder folder;
  CHECK_THROWS_WITH(read_file(folder / "a"), ContainsSubstring("cannot open: No such"));
  CHECK_THROWS_WITH(read_file(folder.path()), ContainsSubstring("cannot read"));
  CHECK_THROWS_WITH(MappedFile(folder / "a"), ContainsSubstring("cannot open: No such"));
  CHECK_THROWS_WITH(MappedFile(folder.path()), ContainsSubstring("name a file"));
  CHECK_THROWS_WITH(MappedFile("/dev/null"), ContainsSubstring("not a regular file"));
}

TEST_CASE("a path that the system would cut off is refused, and the file before the NUL left alone",
          "[io][atomic_file]") {
  const TemporaryFolder folder;
  write_file_atomically(folder / "a", "old");
  const std::filesystem::path cut = (folder / "a").string() + std::string("\0b", 2);
  const auto refuses = [](const auto& call) {
    CHECK_THROWS_WITH(call(), ContainsSubstring("a path has a NUL byte") &&
                                  ContainsSubstring("/a\\x00b") &&
                                  ContainsSubstring("take it out"));
  };
  refuses([&] { read_file(cut); });
  refuses([&] { MappedFile{cut}; });
  refuses([&] { write_file_atomically(cut, "new"); });
  refuses([&] { detail::is_there(cut); });
  refuses([&] { remove_abandoned_temporaries(cut, ""); });
  refuses([&] { ensure_directory(folder.path().string() + std::string("\0/a\0b", 5)); });
  CHECK(read_file(folder / "a") == "old");
}

TEST_CASE("files whose size is not known in advance are read to their end", "[io][atomic_file]") {
  CHECK(contains(read_file("/proc/self/status"), "Pid:"));
  const TemporaryFolder folder;
  std::string large(300'000, 'x');
  for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 7 % 251);
  write_file_atomically(folder / "large", large);
  CHECK(read_file(folder / "large") == large);
}

TEST_CASE("folders are created with their parents, and a file in the way is an error",
          "[io][atomic_file]") {
  const TemporaryFolder folder;
  ensure_directory(folder / "a/b/c");
  ensure_directory(folder / "a/b/c");
  CHECK(std::filesystem::is_directory(folder / "a/b/c"));
  write_file_atomically(folder / "file", "x");
  CHECK_THROWS_AS(ensure_directory(folder / "file"), Error);
  CHECK_THROWS_WITH(ensure_directory(""), ContainsSubstring("a folder has no name"));
  CHECK_THROWS_WITH(ensure_directory(folder / "file/b"),
                    ContainsSubstring("is a file, not a folder"));
}

TEST_CASE("a mapped file can be moved", "[io][atomic_file]") {
  const TemporaryFolder folder;
  write_file_atomically(folder / "a", "abc");
  write_file_atomically(folder / "b", "de");
  MappedFile first(folder / "a");
  MappedFile moved(std::move(first));
  CHECK(moved.text() == "abc");
  moved = MappedFile(folder / "b");
  CHECK(moved.text() == "de");
}

TEST_CASE("what is forgotten of a mapped file is read again when it is touched",
          "[core][atomic_file]") {
  const TemporaryFolder folder;
  std::string text(100'000, 'a');
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>('a' + i % 23);
  write_file_atomically(folder / "a", text);
  const MappedFile file(folder / "a");
  CHECK(file.text() == text);
  file.forget({});
  file.forget(file.bytes().subspan(5000, 70'001));
  file.forget(file.bytes().last(1));
  CHECK(file.text() == text);
  CHECK(MappedFile(folder / "a").text() == text);
}

TEST_CASE("abandoned folders are removed with all they hold", "[core][atomic_file]") {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / ".model.partial-1-0");
  write_file_atomically(folder / ".model.partial-1-0/a", "half");
  CHECK(remove_abandoned_temporaries(folder.path(), "model") == 1);
  CHECK(folder.entries() == 0);
}
