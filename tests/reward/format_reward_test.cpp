#include "dualagent/reward/format_reward.hpp"

#include "support/catch.hpp"

using namespace dualagent;

namespace {

double score(AnswerForm form, std::optional<std::string> answer, std::size_t malformed_turns = 0) {
  Rollout rollout;
  rollout.answer = std::move(answer);
  rollout.malformed_turns = malformed_turns;
  return *FormatReward{.form = form, .success = 0.5, .failure = -0.25}.score({}, rollout);
}

}  // namespace

TEST_CASE("an answer of the form, after turns that could all be read, keeps the format",
          "[reward]") {
  CHECK(score(AnswerForm::any, "") == 0.5);
  CHECK(score(AnswerForm::any, std::nullopt) == -0.25);
  CHECK(score(AnswerForm::any, "5", 1) == -0.25);
  CHECK(score(AnswerForm::boxed, "so \\boxed{5}") == 0.5);
  CHECK(score(AnswerForm::boxed, "so \\boxed{5") == -0.25);
  CHECK(score(AnswerForm::boxed, "#### 5") == -0.25);
  CHECK(score(AnswerForm::boxed, "so \\boxed{5}", 2) == -0.25);
  CHECK(score(AnswerForm::hashed, "so\n#### 5") == 0.5);
  CHECK(score(AnswerForm::hashed, "so\n#### ") == -0.25);
  CHECK(score(AnswerForm::hashed, "\\boxed{5}") == -0.25);
}
