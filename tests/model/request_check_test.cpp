#include "dualagent/model/request_check.hpp"

#include <string>
#include <vector>

#include "dualagent/trace/packed_batch.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"
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

TEST_CASE("a batch that a model cannot read is refused by its row or token", "[model]") {
  const auto error = [](const std::vector<Token>& second, bool trains_first = false) {
    PackedBatch batch;
    batch.append_row(std::vector<Token>(160, 36), 3);  // as many as fit
    const std::size_t begin = batch.append_row(second, 5);
    if (trains_first) batch.loss_weight[begin] = 1.0F;
    return error_of([&] { detail::check_batch(batch, odd_shape()); });
  };
  CHECK(error({0, 36}) == "no error");
  CHECK_THAT(error(std::vector<Token>(161, 0)),
             ContainsSubstring("a row of 161 tokens is longer than the model's 160") &&
                 ContainsSubstring("row 1 of the batch, rollout 5"));
  CHECK_THAT(error({0, 1}, true), ContainsSubstring("the first token of a row cannot be trained"));
  for (const Token token : {-1, 37})
    CHECK_THAT(error({0, token}), ContainsSubstring("token " + std::to_string(token) +
                                                    " is not in the vocabulary of 37 (token 161"));
}
