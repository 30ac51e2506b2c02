#include "dualagent/io/safetensors_shards.hpp"

#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;

namespace {

const std::vector<float> kValues{1, 2, 3, 4, 5, 6, 7, 8};
const std::span<const float> kSix(kValues.data(), 6);

/// Three tensors of 24, 8 and 8 bytes.
std::vector<TensorSource> three() {
  return {{"b", {3, 2}, kSix, {}}, {"a", {2}, kSix.first(2), {}}, {"c", {2}, kSix.last(2), {}}};
}

std::string index_of(const std::string& map) { return "{\"weight_map\": {" + map + "}}"; }

}  // namespace

TEST_CASE("an index names a file of the folder for every tensor", "[io][shards]") {
  const SafeTensorsIndex index = parse_safetensors_index(
      R"({"metadata": {"total_size": 5}, "weight_map": {"a": "x.safetensors", "b": "y.safetensors"}})",
      "index");
  CHECK(index == SafeTensorsIndex{{"a", "x.safetensors"}, {"b", "y.safetensors"}});
  for (const char* map : {R"("a": "../x.safetensors")", R"("a": "/x.safetensors")",
                          R"("a": ".x.safetensors")", R"("a": "x.bin")", R"("a": 3)", R"("a": "")",
                          R"("a": "x.safetensors\u0000.safetensors")"}) {
    INFO(map);
    CHECK_THAT(error_of([&] { parse_safetensors_index(index_of(map), "the index"); }),
               ContainsSubstring("tensor \"a\" is not in a safetensors file of the folder") &&
                   ContainsSubstring("the index"));
  }
  for (const char* text : {"{}", "[]", R"({"weight_map": {}})", R"({"weight_map": []})"})
    CHECK_THAT(error_of([&] { parse_safetensors_index(text, "i"); }),
               ContainsSubstring("no weight_map"));
  CHECK_THAT(error_of([] { parse_safetensors_index("{", "i"); }), ContainsSubstring("not valid"));
  CHECK_THAT(error_of([] {
               parse_safetensors_index(index_of(R"("a": "x.safetensors", "a": "y.safetensors")"),
                                       "i");
             }),
             ContainsSubstring("'a' twice"));
}

TEST_CASE("tensors are split in their order and found again", "[io][shards]") {
  const TemporaryFolder folder;
  write_safetensors_shards(folder.path(), "model", three(), 16, {{"format", "pt"}});
  CHECK(folder.entries() == 3);  // "b" alone is above the limit; "a" and "c" fill it
  CHECK(read_file(folder / "model.safetensors.index.json") ==
        "{\n  \"metadata\": {\n    \"total_parameters\": 10,\n    \"total_size\": 40\n  },\n"
        "  \"weight_map\": {\n    \"a\": \"model-00002-of-00002.safetensors\",\n"
        "    \"b\": \"model-00001-of-00002.safetensors\",\n"
        "    \"c\": \"model-00002-of-00002.safetensors\"\n  }\n}\n");
  const auto shards = SafeTensorsShards::open(folder / "model.safetensors.index.json");
  CHECK(shards.files().size() == 2);
  CHECK(shards.files()[0].metadata().at("format") == "pt");
  CHECK(shards.file_of("b")->values<float>("b") == std::vector<float>{1, 2, 3, 4, 5, 6});
  CHECK(shards.file_of("c")->values<float>("c") == std::vector<float>{5, 6});
  CHECK(shards.file_of("d") == nullptr);
  CHECK_THAT(shards.where(), ContainsSubstring("index.json"));
}

TEST_CASE("what fits into one file needs no index", "[io][shards]") {
  const TemporaryFolder folder;
  write_safetensors_shards(folder.path(), "model", three(), 40);
  CHECK(folder.entries() == 1);
  write_safetensors(folder / "same.safetensors", three());
  CHECK(read_file(folder / "model.safetensors") == read_file(folder / "same.safetensors"));
  const auto shards = SafeTensorsShards::open(folder / "model.safetensors");
  CHECK(shards.file_of("a")->values<float>("a") == std::vector<float>{1, 2});
}

TEST_CASE("an index and its files that disagree are refused by tensor and file", "[io][shards]") {
  const TemporaryFolder folder;
  write_safetensors(folder / "x.safetensors", {{"a", {2}, kSix.first(2), {}}});
  write_safetensors(folder / "y.safetensors", {{"b", {2}, kSix.first(2), {}}});
  const auto problem = [&](const std::string& map) {
    write_file_atomically(folder / "i.json", index_of(map));
    return error_of([&] { SafeTensorsShards::open(folder / "i.json"); });
  };
  CHECK(problem(R"("a": "x.safetensors", "b": "y.safetensors")") == "no error");
  CHECK_THAT(problem(R"("a": "x.safetensors", "b": "z.safetensors")"),
             ContainsSubstring("the file z.safetensors of the index is missing") &&
                 ContainsSubstring("i.json") && ContainsSubstring("Fetch"));
  CHECK_THAT(problem(R"("a": "x.safetensors", "b": "y.safetensors", "c": "y.safetensors")"),
             ContainsSubstring("tensor \"c\" is not in y.safetensors"));
  CHECK_THAT(problem(R"("c": "x.safetensors", "b": "y.safetensors")"),
             ContainsSubstring("tensor \"a\" is in x.safetensors, but not"));
  write_safetensors(folder / "y.safetensors",
                    {{"b", {2}, kSix.first(2), {}}, {"a", {2}, kSix.first(2), {}}});
  CHECK_THAT(problem(R"("a": "x.safetensors", "b": "y.safetensors")"),
             ContainsSubstring("tensor \"a\" is in y.safetensors, but not"));
}
