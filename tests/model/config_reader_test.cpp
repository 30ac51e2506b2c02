#include "dualagent/model/config_reader.hpp"

#include <array>
#include <string>
#include <string_view>

#include "support/catch.hpp"
#include "support/error_of.hpp"

using namespace dualagent;

namespace {
const nlohmann::json kObject = nlohmann::json::parse(
    R"({"layers": 3, "rate": 0.5, "on": true, "name": "x", "nothing": null, "list": [1, "a"]})");
}  // namespace

TEST_CASE("entries are read by their types, and null is as good as missing",
          "[model][config_reader]") {
  const detail::ConfigReader reader(kObject, "here");
  CHECK(reader.size("layers") == 3);
  CHECK(reader.positive("rate") == 0.5);
  CHECK(reader.boolean("on", false));
  CHECK(reader.text("name") == "x");
  CHECK(reader.size("nothing", 7) == 7);
  CHECK(reader.find("nothing") == nullptr);
  CHECK(reader.find_even_null("nothing")->is_null());
  CHECK(reader.find_even_null("absent") == nullptr);
  CHECK_THAT(
      error_of([&] { reader.size("name"); }),
      ContainsSubstring("not a whole number from 1 to 2147483647") && ContainsSubstring("here"));
  CHECK_THAT(error_of([&] { reader.size("layer"); }),
             ContainsSubstring("layer is missing; it has \"layers\""));
  CHECK_THAT(error_of([&] { reader.size("name"); }),
             ContainsSubstring("Use the config.json that belongs to the model"));
  const detail::ConfigReader other(kObject, "here", "an adapter", "Fetch it again");
  CHECK_THAT(error_of([&] { other.size("name"); }), ContainsSubstring("Fetch it again"));
  const nlohmann::json list = nlohmann::json::array();
  CHECK_THROWS_WITH(detail::ConfigReader(list, "here"), ContainsSubstring("not a JSON object"));
  CHECK_THROWS_WITH(detail::ConfigReader(list, "here", "an adapter"),
                    ContainsSubstring("an adapter is not a JSON object"));
  CHECK(!reader.boolean("absent"));
  CHECK(reader.boolean("on") == true);
}

TEST_CASE("an entry of a feature that is not used has its neutral value",
          "[model][config_reader]") {
  const detail::ConfigReader reader(kObject, "here");
  CHECK_NOTHROW(reader.require_neutral("absent", false));
  CHECK_NOTHROW(reader.require_neutral("nothing", 5));
  CHECK_NOTHROW(reader.require_neutral("layers", 3.0));
  CHECK_THAT(error_of([&] { reader.require_neutral("list", nlohmann::json::array()); }),
             ContainsSubstring("list = [1,\"a\"] is not supported"));
}

TEST_CASE("an entry that nobody asked for is refused unless it is listed or null",
          "[model][config_reader]") {
  const detail::ConfigReader reader(kObject, "here");
  reader.size("layers");
  reader.find("rate");
  CHECK_THAT(error_of([&] {
               reader.check_names(std::array<std::string_view, 2>{"list", "on"});
             }),
             ContainsSubstring("name = x is not known"));
  CHECK_NOTHROW(reader.check_names(std::array<std::string_view, 3>{"list", "name", "on"}));
}
