#include "dualagent/tools/argument_schema.hpp"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "dualagent/tools/tool_box.hpp"
#include "support/catch.hpp"

using namespace dualagent;

namespace {

struct Place {
  std::string page;
  std::optional<std::uint8_t> line;
  template <class Visitor>
  void describe(Visitor&& visit) {
    visit("page", page, {.description = "its \"name\""});
    visit("line", line);
  }
};

struct Search {
  int count = 0;
  double least = 0;
  bool exact = false;
  std::optional<std::string> unit;
  std::vector<Place> places;
  template <class Visitor>
  void describe(Visitor&& visit) {
    visit("count", count, {.minimum = 1, .maximum = 9});
    visit("least", least, {.minimum = -0.5});
    visit("exact", exact);
    visit("unit", unit, {.choices = {"m", "km"}});
    visit("places", places);
  }
};

struct Nothing {
  template <class Visitor>
  void describe(Visitor&&) {}
};

struct Undescribed {
  int x = 0;
};
static_assert(DescribedArguments<Search>);
static_assert(!DescribedArguments<Undescribed>);

struct Find {
  static constexpr std::string_view name = "find";
  static constexpr std::string_view description = "Finds places.";
  using Arguments = Place;
  std::string operator()(const Place& place, const CallInfo&) const {
    return place.page + ":" + std::to_string(place.line.value_or(0));
  }
};

std::string fault(const std::string& text) {
  try {
    read_described_arguments<Search>(text);
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

/// A good call with one member replaced.
std::string with(const std::string& key, const std::string& value) {
  nlohmann::json json = {
      {"count", 2}, {"least", 0.5}, {"exact", true}, {"places", nlohmann::json::array()}};
  json[key] = nlohmann::json::parse(value);
  return json.dump();
}

}  // namespace

TEST_CASE("the schema follows from the members of the struct", "[tools]") {
  CHECK(argument_schema<Search>() ==
        R"({"type": "object", "properties": {"count": {"type": "integer", "minimum": 1, )"
        R"("maximum": 9}, "least": {"type": "number", "minimum": -0.5}, "exact": {"type": )"
        R"("boolean"}, "unit": {"type": "string", "enum": ["m", "km"]}, "places": {"type": )"
        R"("array", "items": {"type": "object", "properties": {"page": {"type": "string", )"
        R"("description": "its \"name\""}, "line": {"type": "integer"}}, "required": ["page"]}}}, )"
        R"("required": ["count", "least", "exact", "places"]})");
  CHECK(argument_schema<Nothing>() == R"({"type": "object", "properties": {}})");
}

TEST_CASE("arguments become a typed value", "[tools]") {
  const auto read = read_described_arguments<Search>(
      R"( {"count": 9, "least": 1, "exact": false, "unit": "km",
           "places": [{"page": "a", "line": 255}, {"page": "b"}]} )");
  CHECK(read.count == 9);
  CHECK(read.least == 1.0);
  CHECK(read.unit == "km");
  REQUIRE(read.places.size() == 2);
  CHECK(read.places[0].line == 255);
  CHECK(read.places[1].page == "b");
  CHECK(!read.places[1].line);
  CHECK(!read_described_arguments<Search>(with("exact", "true")).unit);
}

TEST_CASE("arguments against the schema are refused with name, rule and value", "[tools]") {
  CHECK(fault(with("count", "0")) == "the argument 'count' must be at least 1, not 0");
  CHECK(fault(with("count", "10")) == "the argument 'count' must be at most 9, not 10");
  CHECK(fault(with("count", "1.5")) == "the argument 'count' must be a whole number, not 1.5");
  CHECK(fault(with("count", "\"2\"")) == "the argument 'count' must be a whole number, not \"2\"");
  CHECK(fault(with("count", "5.0")).empty());
  CHECK(fault(with("count", "0.5e1")).empty());
  CHECK(fault(with("count", "1e16")) ==
        "the argument 'count' must be a whole number from -2147483648 to 2147483647, in digits, "
        "not 1e+16");
  CHECK(fault(with("count", "4294967296.0")) ==
        "the argument 'count' must be a whole number from -2147483648 to 2147483647, not "
        "4294967296.0");
  CHECK(fault(with("count", "4294967296")) ==
        "the argument 'count' must be a whole number from -2147483648 to 2147483647, not "
        "4294967296");
  CHECK(fault(with("least", "-1")) == "the argument 'least' must be at least -0.5, not -1");
  CHECK(fault(with("least", "null")) == "the argument 'least' must be a number, not null");
  CHECK(fault(with("exact", "1")) == "the argument 'exact' must be true or false, not 1");
  CHECK(fault(with("unit", "\"mm\"")) ==
        "the argument 'unit' must be one of \"m\", \"km\", not \"mm\"");
  CHECK(fault(with("unit", "null")) == "the argument 'unit' must be a text, not null");
  CHECK(fault(with("places", "{}")) == "the argument 'places' must be an array, not {}");
  CHECK(fault(with("places", R"([{"page": "a"}, {"page": 1}])")) ==
        "the argument 'places[1].page' must be a text, not 1");
  CHECK(fault(with("places", R"([{}])")) == "the argument 'places[0].page' is missing");
  CHECK(fault(with("places", R"([{"page": "a", "line": 256}])")) ==
        "the argument 'places[0].line' must be a whole number from 0 to 255, not 256");
  CHECK(fault(with("colour", "1")) ==
        "unknown argument 'colour'; the arguments are: count, least, exact, unit, places");
  CHECK(fault("{}") == "the argument 'count' is missing");
  CHECK(fault(R"({"count": 1, "count": 2})") == "the argument 'count' is given twice");
  CHECK_THAT(fault(R"({"count": 1, "places": [{"page": "a", "page": "b"}]})"),
             ContainsSubstring("the key 'page' twice (the arguments)"));
  CHECK(fault(R"({"count": 1)") ==
        "the arguments are not a JSON object: the text ends inside an object at byte 11");
  CHECK(fault("[]") == "the arguments are not a JSON object: a JSON object is expected at byte 0");
  CHECK(fault("{} {}") == "the arguments are not a JSON object: text follows it at byte 2");
}

TEST_CASE("a tool box reads, checks and tells about described tools", "[tools]") {
  const ToolBox box{Find{}};
  const Task task;
  CHECK(box.call({"find", R"({"page": "a", "line": 3})"}, {&task, 0}).text == "a:3");
  const ToolResult refused = box.call({"find", R"({"page": "a", "row": 3})"}, {&task, 0});
  CHECK(refused.status == ToolStatus::bad_arguments);
  CHECK(refused.text ==
        "bad arguments for 'find': unknown argument 'row'; the arguments are: page, line");
  const std::vector<ToolSpec> specs = box.specs();
  REQUIRE(specs.size() == 1);
  CHECK(specs[0].name == "find");
  CHECK(specs[0].description == "Finds places.");
  CHECK(specs[0].parameters == argument_schema<Place>());
}
