#include "dualagent/io/safetensors_writer.hpp"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/file_faults.hpp"
#include "support/safetensors_files.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;
using namespace safetensors_files;

namespace {

std::string written(const std::vector<TensorSource>& tensors,
                    const SafeTensorsMetadata& metadata = {}) {
  std::string text;
  const auto append = [&](std::span<const std::byte> bytes) {
    text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  };
  stream_safetensors(append, tensors, metadata, "t.safetensors");
  return text;
}

}  // namespace

TEST_CASE("the writer makes the bytes of the reference package", "[io][safetensors]") {
  const TemporaryFolder folder;
  write_safetensors(folder / "t.safetensors", ReferenceTensors{}.sources(), {{"format", "pt"}});
  CHECK(read_file(folder / "t.safetensors") == read_file(kReference));
}

TEST_CASE("16-bit and 64-bit floats are converted, rounded to nearest", "[io][safetensors]") {
  const std::vector<double> values{1.0, -2.5, 1.0 + std::ldexp(1.0, -9), 0.1};
  for (const DType dtype : {DType::f64, DType::f32, DType::f16, DType::bf16}) {
    const std::string file = written({{"a", {4}, std::span(values), dtype}});
    const SafeTensors tensors = parse(file);
    CHECK(tensors.at("a").dtype == dtype);
    const std::vector<double> read = tensors.values<double>("a");
    CHECK(read[0] == 1.0);
    CHECK(read[1] == -2.5);
    CHECK(read[2] == (dtype == DType::bf16 ? 1.0 : 1.0 + std::ldexp(1.0, -9)));
    const std::vector<float> narrow = tensors.values<float>("a");
    CHECK(narrow[3] == static_cast<float>(read[3]));
  }
  // 0.1 = 1.1001100110|0110... * 2^-4 in binary16 and 1.1001100|110... * 2^-4 in bfloat16.
  CHECK(parse(written({{"a", {4}, std::span(values), DType::f16}})).values<double>("a")[3] ==
        1638.0 / 16384.0);
  CHECK(parse(written({{"a", {4}, std::span(values), DType::bf16}})).values<double>("a")[3] ==
        205.0 / 2048.0);
}

TEST_CASE("every bit of equal types survives, NaN payloads included", "[io][safetensors]") {
  std::vector<float> values(3);
  const std::uint32_t bits[] = {0x7FA00001, 0x80000000, 0x00000001};
  std::memcpy(values.data(), bits, sizeof bits);
  const std::string file = written({{"a", {3}, std::span<const float>(values), {}}});
  const std::vector<float> read = parse(file).values<float>("a");
  CHECK(std::memcmp(read.data(), bits, sizeof bits) == 0);
}

TEST_CASE("long tensors are converted piece by piece without a seam", "[io][safetensors]") {
  std::vector<float> values(10'001);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 256);
  const std::string file = written({{"a", {10'001}, std::span<const float>(values), DType::bf16}});
  CHECK(parse(file).values<float>("a") == values);
}

TEST_CASE("values that do not fit an element type are errors, not infinities",
          "[io][safetensors]") {
  const std::vector<float> large{1.0F, 70'000.0F};
  CHECK_THROWS_WITH(written({{"a", {2}, std::span(large), DType::f16}}),
                    ContainsSubstring("too large for F16 at element 1"));
  const std::vector<double> huge{1e300};
  CHECK_THROWS_AS(written({{"a", {1}, std::span(huge), DType::f32}}), Error);
  CHECK_THROWS_AS(written({{"a", {1}, std::span(huge), DType::bf16}}), Error);
  const std::string file = written({{"a", {1}, std::span(huge), {}}});
  CHECK_THROWS_WITH(parse(file).values<float>("a"),
                    ContainsSubstring("too large for F32 at element 0"));
  const std::vector<float> infinite{std::numeric_limits<float>::infinity()};
  const std::string kept = written({{"a", {1}, std::span(infinite), DType::f16}});
  CHECK(std::isinf(parse(kept).values<float>("a")[0]));
}

TEST_CASE("reading as another kind or size is refused", "[io][safetensors]") {
  const std::vector<std::int64_t> integers{1};
  const std::string file = written({{"a", {1}, std::span(integers), {}}});
  const SafeTensors tensors = parse(file);
  CHECK_THROWS_WITH(tensors.values<float>("a"),
                    ContainsSubstring("I64, which cannot be read as F32"));
  CHECK_THROWS_AS(tensors.values<std::uint64_t>("a"), Error);
  std::vector<std::int64_t> room(2);
  CHECK_THROWS_WITH(tensors.copy_to<std::int64_t>("a", room),
                    ContainsSubstring("1 elements, expected 2"));
  CHECK_THROWS_WITH(tensors.values<float>("b"),
                    ContainsSubstring("no tensor \"b\"") && ContainsSubstring("t.safetensors"));
}

TEST_CASE("what cannot be written is refused", "[io][safetensors]") {
  const std::vector<float> values{1.0F};
  const std::vector<std::int64_t> integers{1};
  const std::span<const float> one(values);
  CHECK_THROWS_WITH(written({{"a", {1}, one, {}}, {"a", {1}, one, {}}}),
                    ContainsSubstring("used twice"));
  CHECK_THROWS_AS(written({{"__metadata__", {1}, one, {}}}), Error);
  CHECK_THROWS_WITH(written({{"a", {2}, one, {}}}),
                    ContainsSubstring("1 values, but its shape is [2]"));
  CHECK_THROWS_AS(written({{"a", {std::size_t{1} << 63, 2}, one, {}}}), Error);
  CHECK_THROWS_WITH(written({{"a\xFF", {1}, one, {}}}), ContainsSubstring("UTF-8"));
  CHECK_THROWS_WITH(written({}, {{"k", "\xFF"}}), ContainsSubstring("UTF-8"));
  CHECK_THROWS_WITH(written({{"a", {1}, std::span(integers), DType::f32}}),
                    ContainsSubstring("I64 cannot be stored as F32"));
  CHECK_THROWS_AS(written({{"a", {1}, one, DType::i32}}), Error);
}

TEST_CASE("the header ends on a multiple of eight bytes, padded with spaces", "[io][safetensors]") {
  const std::vector<float> values{1.0F};
  for (std::string name = "a"; name.size() < 10; name += "a") {
    const std::string file = written({{name, {1}, std::span(values), {}}});
    CHECK(file.size() % 8 == 4);
    CHECK(parse(file).values<float>(name) == values);
  }
  CHECK(written({}) == file_of("{}      ", 0));
}

TEST_CASE("a file that cannot grow keeps the old weights", "[io][safetensors]") {
  const TemporaryFolder folder;
  const std::vector<float> old{1.0F};
  const std::vector<float> large(10'000, 2.0F);
  write_safetensors(folder / "w", {{"a", {1}, std::span(old), {}}});
  {
    const FileSizeLimit limit(5000);
    CHECK_THROWS_AS(write_safetensors(folder / "w", {{"a", {10'000}, std::span(large), {}}}),
                    Error);
  }
  CHECK(SafeTensors::open(folder / "w").values<float>("a") == old);
  CHECK(folder.entries() == 1);
}
