#include "dualagent/model/request_check.hpp"

#include <vector>

#include "support/catch.hpp"
#include "support/odd_shape.hpp"

using namespace dualagent;

TEST_CASE("a request that a model cannot carry out is refused by its sequence", "[model]") {
  const StopRule stop{.max_new_tokens = 1}, none{.max_new_tokens = 0};
  const std::vector<Token> fits(159, 36), full(160, 0), unknown{1, 37};
  const auto check = [](std::span<const Token> context, const StopRule* rule) {
    detail::check_request(
        {.sequence = 7, .context = context, .sampling = {}, .stop = rule, .random = {}},
        odd_shape());
  };
  CHECK_NOTHROW(check(fits, &stop));
  CHECK_THROWS_WITH(check({}, &stop), ContainsSubstring("at least one token (sequence 7)"));
  CHECK_THROWS_WITH(check(full, &stop), ContainsSubstring("no room in a model of 160"));
  CHECK_THROWS_WITH(check(fits, &none), ContainsSubstring("max_new_tokens >= 1"));
  CHECK_THROWS_WITH(check(unknown, &stop),
                    ContainsSubstring("token 37 is not in the vocabulary of 37"));
}
