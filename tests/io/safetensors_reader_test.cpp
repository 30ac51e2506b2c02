#include "dualagent/io/safetensors_reader.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "dualagent/io/safetensors_writer.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/file_faults.hpp"
#include "support/safetensors_files.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;
using namespace safetensors_files;

namespace {

std::string error_of_parsing(const std::string& file) {
  return error_of([&] { parse(file); });
}

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

TEST_CASE("tensors of many pieces are read and compared whole", "[io][safetensors]") {
  const TemporaryFolder folder;
  std::vector<float> values(700'000);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 251) - 7.0F;
  std::vector<float> other = values;
  other.back() += 1.0F;
  const std::vector<std::size_t> shape{700, 1000};
  write_safetensors(folder / "a", {{"f32", shape, std::span<const float>(values), {}},
                                   {"bf16", shape, std::span<const float>(values), DType::bf16},
                                   {"f16", shape, std::span<const float>(values), DType::f16},
                                   {"other", shape, std::span<const float>(other), {}}});
  const SafeTensors file = SafeTensors::open(folder / "a");
  for (const char* name : {"f32", "bf16", "f16"}) {  // whole numbers below 256 are exact in all
    CHECK(file.values<float>(name) == values);
    CHECK(file.values<double>(name) == std::vector<double>(values.begin(), values.end()));
  }
  CHECK(SafeTensors::same(file, file.at("f32"), file, file.at("f32")));
  CHECK_FALSE(SafeTensors::same(file, file.at("f32"), file, file.at("other")));
  CHECK_FALSE(SafeTensors::same(file, file.at("f32"), file, file.at("bf16")));
}
