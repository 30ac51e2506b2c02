#include "dualagent/io/safetensors.hpp"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/file_faults.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;

namespace {

const std::filesystem::path kReference =
    std::filesystem::path(__FILE__).parent_path() / "../golden/safetensors/reference.safetensors";

/// A file of a header text and some bytes of zeros, made by hand.
std::string file_of(const std::string& header, std::size_t data_bytes) {
  std::string file(8, '\0');
  const std::uint64_t length = header.size();
  std::memcpy(file.data(), &length, 8);
  return file + header + std::string(data_bytes, '\0');
}

SafeTensors parse(const std::string& file) {
  return SafeTensors::view(std::as_bytes(std::span(file)), "t.safetensors");
}

std::string error_of_parsing(const std::string& file) {
  return error_of([&] { parse(file); });
}

struct StringSink {
  std::string text;
  void write(std::span<const std::byte> bytes) {
    text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
};

std::string written(const std::vector<TensorSource>& tensors,
                    const SafeTensorsMetadata& metadata = {}) {
  StringSink sink;
  stream_safetensors(sink, tensors, metadata, "t.safetensors");
  return sink.text;
}

/// The tensors of tests/golden/safetensors/make_reference.py.
struct ReferenceTensors {
  std::vector<float> embed{-0.5F, -0.25F, 0.0F, 0.25F, 0.5F, 0.75F};
  std::vector<double> doubles{0.1, -1e300};
  std::vector<float> half{1.0F, -2.0F, 65504.0F, std::ldexp(1.0F, -24)};
  std::vector<float> scalar{2.5F};
  std::vector<float> empty;
  std::vector<std::uint64_t> steps{std::numeric_limits<std::uint64_t>::max(), 3};
  std::vector<std::int64_t> large{std::numeric_limits<std::int64_t>::min()};
  std::vector<std::int32_t> tokens{-1, 7, std::numeric_limits<std::int32_t>::max()};
  std::vector<std::uint8_t> bytes{0, 255, 10};
  std::vector<float> odd{1.0F};

  std::vector<TensorSource> sources() const {
    return {{"model.embed_tokens.weight", {2, 3}, std::span(embed), {}},
            {"a.double", {2}, std::span(doubles), {}},
            {"half", {4, 1}, std::span(half), DType::f16},
            {"scalar", {}, std::span(scalar), {}},
            {"empty", {0, 4}, std::span(empty), {}},
            {"steps", {2}, std::span(steps), {}},
            {"signed", {1}, std::span(large), {}},
            {"tokens", {3}, std::span(tokens), {}},
            {"bytes", {3}, std::span(bytes), {}},
            {"odd \"name\"\\\n\xC3\xA9", {1}, std::span(odd), {}}};
  }
};

}  // namespace

TEST_CASE("a file of the reference package is read", "[io][safetensors]") {
  const SafeTensors file = SafeTensors::open(kReference);
  const ReferenceTensors expected;
  CHECK(file.tensors().size() == 10);
  CHECK(file.metadata() == SafeTensorsMetadata{{"format", "pt"}});
  CHECK(file.at("model.embed_tokens.weight").shape == std::vector<std::size_t>{2, 3});
  CHECK(file.values<float>("model.embed_tokens.weight") == expected.embed);
  CHECK(file.values<double>("a.double") == expected.doubles);
  CHECK(file.at("half").dtype == DType::f16);
  CHECK(file.values<float>("half") == expected.half);
  CHECK(file.at("scalar").shape.empty());
  CHECK(file.values<float>("scalar") == expected.scalar);
  CHECK(file.at("empty").shape == std::vector<std::size_t>{0, 4});
  CHECK(file.values<float>("empty").empty());
  CHECK(file.values<std::uint64_t>("steps") == expected.steps);
  CHECK(file.values<std::int64_t>("signed") == expected.large);
  CHECK(file.values<std::int32_t>("tokens") == expected.tokens);
  CHECK(file.values<std::uint8_t>("bytes") == expected.bytes);
  CHECK(file.values<float>("odd \"name\"\\\n\xC3\xA9") == expected.odd);
}

TEST_CASE("the writer makes the bytes of the reference package", "[io][safetensors]") {
  const TemporaryFolder folder;
  write_safetensors(folder / "t.safetensors", ReferenceTensors{}.sources(), {{"format", "pt"}});
  CHECK(read_file(folder / "t.safetensors") == read_file(kReference));
}

TEST_CASE("files made by hand are read, whatever the order of their entries", "[io][safetensors]") {
  const std::string file = file_of(
      R"({"b":{"shape":[1,2],"dtype":"U8","data_offsets":[4,6]}, "z":{"dtype":"F32","shape":[0],"data_offsets":[4,4]},"a":{"dtype":"I32","shape":[],"data_offsets":[0,4]}}   )",
      6);
  const SafeTensors tensors = parse(file);
  REQUIRE(tensors.tensors().size() == 3);
  CHECK(tensors.tensors()[0].name == "a");
  CHECK(tensors.tensors()[1].name == "z");
  CHECK(tensors.tensors()[2].name == "b");
  CHECK(tensors.find("c") == nullptr);
  CHECK(parse(file_of("{}", 0)).tensors().empty());
  CHECK(parse(file_of(R"({"__metadata__":{}})", 0)).metadata().empty());
}

TEST_CASE("data that are not aligned to their element are read", "[io][safetensors]") {
  std::string file = file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4);
  REQUIRE(file.size() % 4 != 0);
  const float value = 3.25F;
  std::memcpy(file.data() + file.size() - 4, &value, 4);
  CHECK(parse(file).values<float>("a") == std::vector<float>{3.25F});
}

TEST_CASE("damaged headers are refused with the reason", "[io][safetensors]") {
  const auto entry = [](const std::string& text, std::size_t bytes) {
    return error_of_parsing(file_of("{\"a\":" + text + "}", bytes));
  };
  CHECK_THAT(error_of_parsing(""), ContainsSubstring("8-byte header length"));
  CHECK_THAT(error_of_parsing("1234567"), ContainsSubstring("this one has 7 bytes"));
  CHECK_THAT(error_of_parsing(std::string(8, '\0')), ContainsSubstring("does not start with '{'"));
  CHECK_THAT(error_of_parsing(std::string(8, '\xFF')), ContainsSubstring("larger than the limit"));
  CHECK_THAT(error_of_parsing(file_of("{}", 0).substr(0, 9)),
             ContainsSubstring("does not fit the file"));
  CHECK_THAT(error_of_parsing(file_of(" {}", 0)), ContainsSubstring("does not start with '{'"));
  CHECK_THAT(error_of_parsing(file_of("[]", 0)), ContainsSubstring("does not start with '{'"));
  CHECK_THAT(error_of_parsing(file_of("{", 0)), ContainsSubstring("not valid JSON"));
  CHECK_THAT(error_of_parsing(file_of("{}}", 0)), ContainsSubstring("not valid JSON"));
  CHECK_THAT(error_of_parsing(file_of(std::string("{}\0{}", 5), 0)),
             ContainsSubstring("byte 2 is NUL") && ContainsSubstring("not a safetensors file"));
  CHECK_THAT(error_of_parsing(file_of("{\"a\":" + std::string(1000, '['), 0)),
             ContainsSubstring("deeper"));
  CHECK_THAT(error_of_parsing(file_of("{}", 1)), ContainsSubstring("describe 0 bytes of data"));
  CHECK_THAT(error_of_parsing(file_of(R"({"__metadata__":[]})", 0)),
             ContainsSubstring("not an object"));
  CHECK_THAT(error_of_parsing(file_of(R"({"__metadata__":{"a":1}})", 0)),
             ContainsSubstring("\"a\" is not"));
  CHECK_THAT(entry("1", 0), ContainsSubstring("exactly dtype, shape and data_offsets"));
  CHECK_THAT(entry(R"({"dtype":"U8","shape":[]})", 0), ContainsSubstring("exactly"));
  CHECK_THAT(entry(R"({"dtype":"U8","shape":[],"data_offsets":[0,1],"x":1})", 1),
             ContainsSubstring("exactly"));
  CHECK_THAT(entry(R"({"dtype":1,"shape":[],"data_offsets":[0,1]})", 1),
             ContainsSubstring("not a string"));
  CHECK_THAT(entry(R"({"dtype":"F4","shape":[],"data_offsets":[0,1]})", 1),
             ContainsSubstring("\"F4\" is not supported"));
  CHECK_THAT(entry(R"({"dtype":"U8","shape":1,"data_offsets":[0,1]})", 1),
             ContainsSubstring("not an array"));
  for (const char* extent : {"-1", "1.0", "\"1\"", "1e1", "18446744073709551616", "null"})
    CHECK_THAT(
        entry(std::string(R"({"dtype":"U8","shape":[)") + extent + R"(],"data_offsets":[0,1]})", 1),
        ContainsSubstring("something else than sizes"));
  CHECK_THAT(entry(R"({"dtype":"U8","shape":[1],"data_offsets":[0]})", 1),
             ContainsSubstring("[begin, end]"));
  CHECK_THAT(entry(R"({"dtype":"U8","shape":[1],"data_offsets":[1,0]})", 1),
             ContainsSubstring("outside"));
  CHECK_THAT(entry(R"({"dtype":"U8","shape":[2],"data_offsets":[0,2]})", 1),
             ContainsSubstring("outside"));
  CHECK_THAT(entry(R"({"dtype":"F32","shape":[1],"data_offsets":[0,3]})", 3),
             ContainsSubstring("does not fill"));
  CHECK_THAT(entry(R"({"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,0]})", 0),
             ContainsSubstring("does not fill"));
  CHECK_THAT(entry(R"({"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]})", 0),
             ContainsSubstring("does not fill"));
  CHECK_THAT(entry(R"({"dtype":"U8","shape":[1],"data_offsets":[1,2]})", 2),
             ContainsSubstring("instead of 0"));
}

TEST_CASE("duplicates, overlaps and gaps are refused with the tensor's name", "[io][safetensors]") {
  const auto u8 = [](const std::string& name, int begin, int end) {
    return "\"" + name + "\":{\"dtype\":\"U8\",\"shape\":[" + std::to_string(end - begin) +
           "],\"data_offsets\":[" + std::to_string(begin) + "," + std::to_string(end) + "]}";
  };
  const auto error = [&](const std::string& a, const std::string& b, std::size_t bytes) {
    return error_of_parsing(file_of("{" + a + "," + b + "}", bytes));
  };
  CHECK(error(u8("a", 0, 2), u8("b", 2, 4), 4) == "no error");
  CHECK_THAT(error(u8("a", 0, 2), u8("a", 2, 4), 4), ContainsSubstring("twice"));
  CHECK_THAT(error(u8("a", 0, 2), u8("b", 1, 3), 3),
             ContainsSubstring("tensor \"b\"") && ContainsSubstring("overlap"));
  CHECK_THAT(error(u8("a", 0, 2), u8("b", 0, 2), 2),
             ContainsSubstring("tensor \"b\"") && ContainsSubstring("overlap"));
  CHECK_THAT(error(u8("a", 0, 2), u8("b", 3, 4), 4), ContainsSubstring("gap"));
  CHECK_THAT(error(u8("a", 0, 2), u8("b", 2, 4), 5),
             ContainsSubstring("4 bytes of data, the file has 5"));
}

TEST_CASE("a file cut anywhere is refused", "[io][safetensors]") {
  const std::string whole = read_file(kReference);
  for (std::size_t size = 0; size < whole.size(); ++size)
    CHECK(error_of_parsing(whole.substr(0, size)) != "no error");
}

TEST_CASE("names from a file cannot steer the terminal that shows an error", "[io][safetensors]") {
  const std::string error = error_of_parsing(file_of("{\"\\u001b[31m\":1}", 0));
  CHECK(error.find('\x1B') == std::string::npos);
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
