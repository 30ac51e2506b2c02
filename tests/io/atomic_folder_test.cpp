#include "dualagent/io/atomic_folder.hpp"

#include <filesystem>
#include <string>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/file_faults.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;

namespace {

/// Writes a folder with the file "a" of the given text.
void write_folder(const std::filesystem::path& target, const std::string& text) {
  AtomicFolder folder(target);
  write_file_atomically(folder.path() / "a", text);
  folder.commit();
}

}  // namespace

TEST_CASE("a folder appears when it is committed, and its parents with it", "[io][atomic_folder]") {
  const TemporaryFolder here;
  const std::filesystem::path target = here / "out/deep/model";
  {
    AtomicFolder folder(target);
    write_file_atomically(folder.path() / "a", "text");
    CHECK_FALSE(std::filesystem::exists(target));
    folder.commit();
  }
  CHECK(read_file(target / "a") == "text");
  CHECK(std::distance(std::filesystem::directory_iterator(here / "out/deep"), {}) == 1);
}

TEST_CASE("an older version is replaced as a whole, through links and trailing slashes",
          "[io][atomic_folder]") {
  const TemporaryFolder here;
  write_folder(here / "model", "old");
  write_file_atomically(here / "model/b", "only in the old one");
  std::filesystem::create_directory_symlink(here / "model", here / "link");
  write_folder(here / "model/", "new");
  CHECK(read_file(here / "model/a") == "new");
  CHECK_FALSE(std::filesystem::exists(here / "model/b"));
  write_folder(here / "link", "newest");
  CHECK(read_file(here / "model/a") == "newest");
  CHECK(std::filesystem::is_symlink(here / "link"));
  CHECK(here.entries() == 2);
}

TEST_CASE("what is not committed or cannot be leaves the old version", "[io][atomic_folder]") {
  const TemporaryFolder here;
  write_folder(here / "model", "old");
  {
    AtomicFolder folder(here / "model");
    write_file_atomically(folder.path() / "a", "new");
  }
  CHECK(read_file(here / "model/a") == "old");
  CHECK(here.entries() == 1);
  write_file_atomically(here / "file", "x");
  CHECK_THAT(error_of([&] { write_folder(here / "file", "x"); }),
             ContainsSubstring("cannot replace by a folder") && ContainsSubstring("/file"));
  CHECK_THAT(error_of([&] { write_folder(here / "file/model", "x"); }), ContainsSubstring("file"));
  CHECK_THAT(error_of([&] { write_folder("/", "x"); }), ContainsSubstring("root"));
  CHECK_THAT(error_of([&] { write_folder((here / "model").string() + '\0', "x"); }),
             ContainsSubstring("a path has a NUL byte"));
  const std::string text = without_write_permission(
      here.path(), [&] { return error_of([&] { write_folder(here / "model", "new"); }); });
  if (!text.starts_with(kFaultImpossible))
    CHECK_THAT(text, ContainsSubstring("cannot create a temporary folder beside it"));
  CHECK(read_file(here / "model/a") == "old");
}

TEST_CASE("what a killed process left of the same target is removed", "[io][atomic_folder]") {
  const TemporaryFolder here;
  std::filesystem::create_directory(here / ".model.partial-1-0");
  write_file_atomically(here / ".model.partial-1-0/a", "half");
  std::filesystem::create_directory(here / ".model2.partial-1-0");  // of another target
  write_folder(here / "model", "new");
  CHECK(here.entries() == 2);
  CHECK(std::filesystem::exists(here / ".model2.partial-1-0"));
}
