#include "dualagent/core/user_code.hpp"

#include <stdexcept>
#include <string>

#include "support/catch.hpp"
#include "support/error_of.hpp"

using namespace dualagent;

namespace {

struct NotAnException {};

template <class Thrown>
std::string told(const Thrown& thrown) {
  return error_of([&] {
    call_user_code(
        "a reward", [] { return std::string("task 'a'"); }, [&]() -> int { throw thrown; });
  });
}

class Special : public Error {
 public:
  using Error::Error;
};

}  // namespace

TEST_CASE("whatever user code throws becomes an Error that says whose and where", "[core]") {
  CHECK_THAT(told(std::invalid_argument("stod")),
             ContainsSubstring("a reward threw std::invalid_argument: stod (task 'a')"));
  CHECK_THAT(told(7), ContainsSubstring("a reward threw an exception of type int (task 'a')"));
  CHECK_THAT(told("text"), ContainsSubstring("an exception of type char const*"));
  CHECK_THAT(told(NotAnException{}), ContainsSubstring("NotAnException"));
}

TEST_CASE("an Error passes as it is, results too", "[core]") {
  CHECK(told(Error("no page", "page 8", "Ask for another")) == "no page (page 8). Ask for another");
  const auto nowhere = [] { return std::string(); };
  CHECK_THROWS_AS(call_user_code("a tool", nowhere, [] { throw Special("gone"); }), Special);
  CHECK(call_user_code("a tool", nowhere, [] { return 5; }) == 5);
  int value = 3;
  call_user_code("a tool", nowhere, [&]() -> int& { return value; }) = 4;
  CHECK(value == 4);
}
