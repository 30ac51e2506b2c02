#include "dualagent/engine/canaries.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "support/bigram_model.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"

using namespace dualagent;

TEST_CASE("canaries are the given prompts, or the same random ones every time", "[engine]") {
  const auto given = canary_prompts({.prompts = {{1, 2}, {3}}}, 5, 64);
  REQUIRE(given.size() == 2);
  CHECK(given[0].tokens == std::vector<Token>{1, 2});
  CHECK(given[1].prompt == 1);
  const auto random = canary_prompts({.count = 3, .prompt_tokens = 40}, 5, 64);
  REQUIRE(random.size() == 3);
  CHECK(random[0].prompt == 32);  // half of a short context
  CHECK(random[0].tokens != random[1].tokens);
  CHECK(random[2].tokens == canary_prompts({.count = 3, .prompt_tokens = 40}, 5, 64)[2].tokens);
  for (const Token token : random[1].tokens) CHECK((token >= 0 && token < 5));
  for (const std::vector<Token>& prompt :
       std::vector<std::vector<Token>>{{}, {5}, {-1}, std::vector<Token>(60, 1)})
    CHECK_THAT(error_of([&] { canary_prompts({.prompts = {prompt}}, 5, 64); }),
               ContainsSubstring("canary's prompt"));
}

TEST_CASE("a learner's log-probabilities of the samples are those of its table", "[engine]") {
  BigramModel learner(3);
  learner.parameters()[3 * 1 + 2] = 2.0;  // after 1: logits 0, 0, 2
  const std::vector<Canary> canaries{{.tokens = {0, 1, 2, 1, 0}, .prompt = 2},
                                     {.tokens = {1, 2}, .prompt = 1}};
  for (const double temperature : {1.0, 0.5}) {
    const auto scores = score_canaries(learner, canaries, static_cast<float>(temperature));
    const double sum = 2.0 + std::exp(2.0 / temperature);
    REQUIRE(scores.size() == 2);
    REQUIRE(scores[0].size() == 3);
    CHECK(scores[0][0] == Approx(2.0 / temperature - std::log(sum)));
    CHECK(scores[0][1] == Approx(-std::log(3.0)));
    CHECK(scores[0][2] == Approx(-std::log(sum)));
    CHECK(scores[1] == std::vector<double>{scores[0][0]});
  }
}

TEST_CASE("numbers that are missing or not finite never agree", "[engine]") {
  using Numbers = std::vector<double>;
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double endless = std::numeric_limits<double>::infinity();
  CHECK(largest_difference(Numbers{-1, -2, -3}, Numbers{-1, -2.5, -3.25}) == 0.5);
  CHECK(largest_difference(Numbers{-1}, Numbers{-1, -2}) == endless);
  CHECK(largest_difference(Numbers{nan, -1}, Numbers{-1, -1}) == endless);
  CHECK(largest_difference(Numbers{-1, -endless}, Numbers{-1, -endless}) == endless);
  CHECK_NOTHROW(require_agreement(1e-3, {.max_log_ratio = 1e-3}, "here"));
  CHECK_THAT(error_of([] { require_agreement(0.0625, {}, "here"); }),
             ContainsSubstring("0.0625") && ContainsSubstring("(here)") &&
                 ContainsSubstring("generation_config"));
}
