#include "dualagent/core/base64.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;

namespace {

std::vector<std::byte> bytes_of(const std::string& text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

}  // namespace

TEST_CASE("base64 is that of RFC 4648, section 10", "[core]") {
  const std::vector<std::pair<std::string, std::string>> vectors{{"", ""},
                                                                 {"f", "Zg=="},
                                                                 {"fo", "Zm8="},
                                                                 {"foo", "Zm9v"},
                                                                 {"foob", "Zm9vYg=="},
                                                                 {"fooba", "Zm9vYmE="},
                                                                 {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, encoded] : vectors) {
    CHECK(to_base64(bytes_of(plain)) == encoded);
    CHECK(from_base64(encoded, "here") == bytes_of(plain));
  }
}

TEST_CASE("every byte survives base64", "[core]") {
  std::vector<std::byte> bytes;
  for (int i = 0; i < 256; ++i) {
    bytes.push_back(static_cast<std::byte>(i));
    CHECK(from_base64(to_base64(bytes), "here") == bytes);
  }
  CHECK_THAT(to_base64(bytes), ContainsSubstring("+") && ContainsSubstring("/"));
}

TEST_CASE("what is not the one spelling of some bytes is refused", "[core]") {
  const auto refused = [](const std::string& text, const std::string& why) {
    CHECK_THROWS_WITH(from_base64(text, "here"),
                      ContainsSubstring(why) && ContainsSubstring("here"));
  };
  refused("Zg=", "multiple of 4");
  refused("Zg", "multiple of 4");
  refused("Z===", "more than two");
  refused("====", "more than two");
  refused("Zm9\n", "character 3");
  refused("Zm-v", "character 2");
  refused("Zg==Zg==", "character 2");
  refused("Zh==", "belong to no byte");
  refused("Zm9=", "belong to no byte");
}
