#include "dualagent/core/version.hpp"

#include <string>

#include "support/catch.hpp"

TEST_CASE("the version is three numbers", "[core]") {
  CHECK_THAT(std::string(dualagent::kVersion),
             Catch::Matchers::Matches("[0-9]+\\.[0-9]+\\.[0-9]+"));
}
