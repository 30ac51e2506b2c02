#include "dualagent/reward/judged_work.hpp"

#include "support/catch.hpp"
#include "support/summarized_rollouts.hpp"

using namespace dualagent;

TEST_CASE("an answer is judged against the task's, and none is nothing to judge", "[reward]") {
  Rollout rollout;
  CHECK(JudgedAnswer{}.items(summarized::kTask, rollout).empty());
  rollout.answer = "five";
  const std::vector<JudgedItem> items = JudgedAnswer{}.items(summarized::kTask, rollout);
  REQUIRE(items.size() == 1);
  CHECK(items[0].question == "3");
  CHECK(items[0].material == "6");
  CHECK(items[0].work == "five");
}

TEST_CASE("a summary is judged against its history, with the question beside it", "[reward]") {
  ScriptedModel one = summarized::counting_model(), other = summarized::counting_model();
  for (const Rollout& rollout :
       {summarized::play(SharedWeights{one}), summarized::play(SeparateWeights{one, other})}) {
    const std::vector<JudgedItem> items =
        JudgedSummaries{summarized::letter}.items(summarized::kTask, rollout);
    REQUIRE(items.size() == 1);
    CHECK(items[0].question == "3");
    CHECK(items[0].material == "c3.o4c4.o5");
    CHECK(items[0].work == "s5.");
    CHECK(
        JudgedSummaries{summarized::letter, " "}.items(summarized::kTask, rollout).at(0).material ==
        "c 3 . o 4 c 4 . o 5");
  }
  CHECK(JudgedSummaries{summarized::letter}.items(summarized::kTask, Rollout{}).empty());
}
