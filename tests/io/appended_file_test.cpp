#include "dualagent/io/appended_file.hpp"

#include <cerrno>
#include <cstddef>
#include <string>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/file_faults.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;

namespace {

/// Calls that fail while they are told to.
struct Failing {
  static inline int write_error = 0, truncate_error = 0, sync_error = 0;
  static inline std::size_t most_bytes = 1000;
  static ssize_t write(int descriptor, const void* bytes, std::size_t count) {
    if (write_error != 0 && count < 5) return errno = write_error, -1;
    return ::write(descriptor, bytes, std::min(count, most_bytes));
  }
  static int truncate(int descriptor, off_t size) {
    if (truncate_error != 0) return errno = truncate_error, -1;
    return ::ftruncate(descriptor, size);
  }
  static int sync(int) { return sync_error == 0 ? 0 : (errno = sync_error, -1); }
};

}  // namespace

TEST_CASE("pieces are appended, and kept up to where the caller says", "[io]") {
  const TemporaryFolder folder;
  {
    AppendedFile file = AppendedFile::create(folder / "f", "the list");
    file.append("one,");
    file.append("two,");
    file.sync();
    CHECK(file.size_bytes() == 8);
  }
  AppendedFile kept = AppendedFile::keep(folder / "f", "the list", 4);
  CHECK(read_file(folder / "f") == "one,");
  kept.append("three,");
  CHECK(read_file(folder / "f") == "one,three,");
  CHECK(AppendedFile::create(folder / "f", "the list").size_bytes() == 0);
  CHECK(read_file(folder / "f").empty());
  CHECK_THROWS_WITH(AppendedFile::keep(folder / "none", "the list", 0),
                    ContainsSubstring("cannot open the list") && ContainsSubstring("none"));
}

TEST_CASE("a piece that does not fit on the disk is taken back", "[io]") {
  const TemporaryFolder folder;
  AppendedFile file = AppendedFile::create(folder / "f", "the list");
  file.append("one,");
  {
    const FileSizeLimit limit(8);
    CHECK_THROWS_WITH(file.append("a long one,"), ContainsSubstring("cannot write the list"));
  }
  CHECK(read_file(folder / "f") == "one,");
  file.append("two,");
  CHECK(read_file(folder / "f") == "one,two,");
}

TEST_CASE("a rest that could not be taken back is, before the next piece", "[io]") {
  const TemporaryFolder folder;
  auto file = BasicAppendedFile<Failing>::create(folder / "f", "the list");
  Failing::most_bytes = 3;
  file.append("one,");  // in two calls
  Failing::write_error = ENOSPC;
  Failing::truncate_error = EIO;
  CHECK_THAT(error_of([&] { file.append("second,"); }), ContainsSubstring("cannot cut the list"));
  CHECK(read_file(folder / "f") == "one,sec");
  Failing::write_error = 0;
  CHECK_THAT(error_of([&] { file.append("second,"); }), ContainsSubstring("cannot cut the list"));
  Failing::truncate_error = 0;
  file.append("second,");
  CHECK(read_file(folder / "f") == "one,second,");
  CHECK(file.size_bytes() == 11);
}

TEST_CASE("a flush that failed once fails for good", "[io]") {
  const TemporaryFolder folder;
  auto file = BasicAppendedFile<Failing>::create(folder / "f", "the list");
  file.sync();
  Failing::sync_error = EIO;
  CHECK_THAT(error_of([&] { file.sync(); }), ContainsSubstring("cannot flush the list"));
  Failing::sync_error = 0;
  CHECK_THAT(error_of([&] { file.sync(); }), ContainsSubstring("cannot flush the list"));
}
