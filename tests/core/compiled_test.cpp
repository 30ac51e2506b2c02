#include "dualagent/core/compiled.hpp"

#include <string_view>

#include "support/catch.hpp"

#define TEXT_OF(...) #__VA_ARGS__
#define EXPANDED(macro) std::string_view(TEXT_OF(macro))

// A program that links dualagent::compiled gives the same bytes: tests/package/run_consumer.cmake.
TEST_CASE("functions are inline where nothing is linked, and not where the library is", "[core]") {
#if defined(DUALAGENT_COMPILED)
  CHECK(EXPANDED(DUALAGENT_INLINE) == "");
#else
  CHECK(EXPANDED(DUALAGENT_INLINE) == "inline");
#endif
}
