#include "dualagent/train/checkpoint_format.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
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

fs::path written_to(const fs::path& path, std::uint64_t step) {
  write_checkpoint_file(path, checkpoint_at(step));
  return path;
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

}  // namespace

TEST_CASE("a checkpoint comes back bit by bit", "[train][checkpoint]") {
  const TemporaryFolder folder;
  const fs::path path = written_to(folder / "c", 42);
  const StoredCheckpoint stored = StoredCheckpoint::open(path);
  CHECK(stored.where() == path.string());
  CHECK(stored.step() == 42);
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
}

TEST_CASE("equal checkpoints are equal bytes, sealed by a CRC of all before it",
          "[train][checkpoint]") {
  const TemporaryFolder folder;
  const std::string a = read_file(written_to(folder / "a", 1));
  const std::string b = read_file(written_to(folder / "b", 1));
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
  CHECK(SafeTensors::open(folder / "a").tensors().size() == 8);
}

TEST_CASE("a checkpoint cut at any byte is found out", "[train][checkpoint]") {
  const TemporaryFolder folder;
  const std::string whole = read_file(written_to(folder / "c", 7));
  REQUIRE(whole.size() < 3000);
  const fs::path path = folder / "cut";
  std::size_t refused = 0;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    put(path, std::string_view(whole).substr(0, size));
    const std::string message = error_of([&] { StoredCheckpoint::open(path); });
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
  std::string bytes = read_file(written_to(folder / "c", 7));
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

TEST_CASE("asking for what a checkpoint lacks says so", "[train][checkpoint]") {
  const TemporaryFolder folder;
  const StoredCheckpoint stored = StoredCheckpoint::open(written_to(folder / "c", 1));
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
  std::string bytes = read_file(written_to(folder / "c", 1));
  const auto sealed = [&](std::string text, const std::string& from, const std::string& to) {
    text.replace(text.find(from), from.size(), to);
    const std::uint64_t crc =
        crc64(std::as_bytes(std::span(text)).first(text.size() - sizeof(std::uint64_t)));
    std::memcpy(text.data() + text.size() - sizeof crc, &crc, sizeof crc);
    return error_of([&] { StoredCheckpoint::view(std::as_bytes(std::span(text)), "memory"); });
  };
  CHECK(sealed(bytes, "checkpoint_format\":\"1\"", "checkpoint_format\":\"1\"") == "no error");
  CHECK_THAT(sealed(bytes, "checkpoint_format\":\"1\"", "checkpoint_format\":\"2\""),
             ContainsSubstring("checkpoint has format 2, this library reads format 1"));
  CHECK_THAT(sealed(bytes, "dualagent.step\":\"1\"", "dualagent.step\":\"x\""),
             ContainsSubstring("no valid step number"));
  CHECK_THAT(sealed(bytes, "checkpoint_format", "checkpoint_farmot"),
             ContainsSubstring("no metadata \"dualagent.checkpoint_format\""));
}

TEST_CASE("a whole number in a checkpoint is read strictly", "[train][checkpoint]") {
  const TemporaryFolder folder;
  write_checkpoint_file(folder / "c", {.texts = {{"largest", "18446744073709551615"},
                                                 {"beyond", "18446744073709551616"},
                                                 {"negative", "-1"},
                                                 {"spaced", " 1"},
                                                 {"empty", ""},
                                                 {"more", "1x"}}});
  const StoredCheckpoint stored = StoredCheckpoint::open(folder / "c");
  CHECK(stored.number("largest") == ~std::uint64_t{0});
  for (const char* name : {"beyond", "negative", "spaced", "empty", "more"})
    CHECK_THAT(error_of([&] { stored.number(name); }),
               ContainsSubstring(std::string("\"") + name + "\" is not a whole number"));
}

TEST_CASE("a checkpoint's texts and arrays have names of their own", "[train][checkpoint]") {
  Checkpoint checkpoint;
  checkpoint.add("a", "text");
  checkpoint.add("a", std::span<const float>(kWeights));  // texts and arrays are kept apart
  CHECK_THAT(error_of([&] { checkpoint.add("a", "again"); }),
             ContainsSubstring("has the text \"a\" already"));
  CHECK_THAT(error_of([&] { checkpoint.add("a", std::span<const double>(kMoments)); }),
             ContainsSubstring("has the array \"a\" already"));
  CHECK(checkpoint.texts.at("a") == "text");
}

TEST_CASE("an array's type and size are required before it is copied", "[train][checkpoint]") {
  const TemporaryFolder folder;
  const StoredCheckpoint stored = StoredCheckpoint::open(written_to(folder / "c", 1));
  CHECK_NOTHROW(stored.require_array<float>("weights", 4));
  CHECK_THAT(error_of([&] { stored.require_array<float>("weights", 5); }),
             ContainsSubstring("\"weights\" has 4 elements, expected 5"));
  CHECK_THAT(error_of([&] { stored.require_array<std::int32_t>("weights", 4); }),
             ContainsSubstring("type F32, expected I32"));
  CHECK_THAT(error_of([&] { stored.require_array<float>("weight", 4); }),
             ContainsSubstring("no array \"weight\""));
}

TEST_CASE("options that differ between two runs are all named", "[train][checkpoint]") {
  CHECK(fingerprint_differences({}, {}) == "");
  CHECK(fingerprint_differences(kOptions, kOptions) == "");
  CHECK(fingerprint_differences({{"a", "1"}, {"b", "2"}, {"c", "3"}},
                                {{"b", "4"}, {"c", "3"}, {"d", ""}}) ==
        "a was 1 and is not set, b was 2 and is 4, d was not set and is ");
}
