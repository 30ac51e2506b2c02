#include "dualagent/net/api_key.hpp"

#include "support/catch.hpp"
#include "support/error_of.hpp"

using namespace dualagent;

TEST_CASE("a key is read from the environment, and never shown", "[net]") {
  ::setenv("DUALAGENT_TEST_KEY", "sk-123", 1);
  CHECK(read_api_key("DUALAGENT_TEST_KEY", "Options::key") == "sk-123");
  CHECK(read_api_key("", "Options::key").empty());
  ::setenv("DUALAGENT_TEST_KEY", "sk 123", 1);
  const auto refusal = [](const char* name) {
    return error_of([&] { read_api_key(name, "Options::key"); });
  };
  CHECK_THAT(refusal("DUALAGENT_TEST_KEY"),
             ContainsSubstring("holds characters that a key cannot have (Options::key)"));
  CHECK(refusal("DUALAGENT_TEST_KEY").find("sk") == std::string::npos);
  CHECK_THAT(refusal("sk-123"), ContainsSubstring("not a name of an environment variable"));
  CHECK(refusal("sk-123").find("sk-123") == std::string::npos);
  ::unsetenv("DUALAGENT_TEST_KEY");
  CHECK_THAT(refusal("DUALAGENT_TEST_KEY"), ContainsSubstring("is not set"));
}

TEST_CASE("no header is sent without a key", "[net]") {
  CHECK(bearer_header("").empty());
  CHECK(bearer_header("k") == std::vector<std::string>{"Authorization: Bearer k"});
}
