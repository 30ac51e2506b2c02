#include "retool_summary/score.hpp"

#include "retool_summary/recipe.hpp"
#include "retool_summary/result.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/temporary_folder.hpp"

using namespace retool_summary;

namespace {

dualagent::Rollout rollout(std::optional<std::string> answer, double reward,
                           dualagent::RolloutStatus status = dualagent::RolloutStatus::finished) {
  dualagent::Rollout made;
  made.answer = std::move(answer);
  made.reward = reward;
  made.status = status;
  made.calls = 2;
  made.summaries = 1;
  return made;
}

}  // namespace

TEST_CASE("an evaluation is counted by what became of each rollout", "[retool_summary]") {
  dualagent::Evaluation evaluation{.samples = 2};
  evaluation.rollouts = {rollout("\\boxed{4}", 1), rollout("\\boxed{5}", -1), rollout("4", -1),
                         rollout({}, -1, dualagent::RolloutStatus::truncated),
                         rollout({}, 0, dualagent::RolloutStatus::aborted)};
  evaluation.aborted = 1;
  const Score score = score_of(evaluation, 3.5);
  CHECK(score.rollouts == 4);
  CHECK(score.right == 1);
  CHECK(score.boxed == 2);
  CHECK(score.unfinished == 1);
  CHECK(score.mean() == 0.25);
  CHECK(score.share(score.calls) == 2.0);
  CHECK(score.share(score.summaries) == 1.0);
  const dualagent::ResultRow row = score.row("before", "before training");
  CHECK(row.sampled.successes == 1);
  CHECK(row.sampled.trials == 4);
  for (const dualagent::FailureCount& failure : row.failures_sampled) CHECK(failure.count == 1);

  const TemporaryFolder folder;
  dualagent::write_file_atomically(folder / "s.json", nlohmann::json(score).dump());
  const Score read = read_score(folder / "s.json");
  CHECK(read.boxed == 2);
  CHECK(read.samples == 2);
  CHECK(read.seconds == 3.5);
  dualagent::write_file_atomically(folder / "s.json", "{}");
  CHECK_THAT(error_of([&] { read_score(folder / "s.json"); }), ContainsSubstring("not a score"));
}

TEST_CASE("seconds of the parts are means over steps, those of evaluations over evaluations",
          "[retool_summary]") {
  const TemporaryFolder folder;
  const std::string rest = ",\"tool_seconds\":0.5,\"update_seconds\":1,\"max_abs_log_ratio\":0.25";
  dualagent::write_file_atomically(folder / "m.jsonl", "{\"step\":0,\"rollout_seconds\":2" + rest +
                                                           "}\n" +
                                                           "{\"step\":1,\"rollout_seconds\":4" +
                                                           rest + ",\"eval_seconds\":9}\n");
  const PartSeconds parts = part_seconds(dualagent::read_metrics(folder / "m.jsonl"));
  CHECK(parts.steps == 2);
  CHECK(parts.rollout == 3.0);
  CHECK(parts.tools == 0.5);
  CHECK(parts.update == 1.0);
  CHECK(parts.evaluations == 1);
  CHECK(parts.evaluation == 9.0);
  CHECK(parts.max_abs_log_ratio == 0.25);
  CHECK(part_seconds({}).rollout == 0.0);
}

TEST_CASE("what gets worse is said", "[retool_summary]") {
  const Score good{.rollouts = 4, .right = 2, .boxed = 4},
      bad{.rollouts = 4, .right = 1, .boxed = 3};
  const auto text = [](const Score& before, const Score& after) {
    return outcome_text({.before = before, .after = after}, {});
  };
  CHECK_THAT(text(good, bad), ContainsSubstring("Fewer answers have their box") &&
                                  ContainsSubstring("Fewer answers are right"));
  CHECK_THAT(text(bad, good), !ContainsSubstring("Fewer"));
  CHECK_THAT(text(good, good), ContainsSubstring("50.0 %") && !ContainsSubstring("Fewer"));
}

TEST_CASE("the chosen view and mean are those of the policies that they name", "[retool_summary]") {
  using namespace dualagent;
  Rollout episode;  // two windows of the Answerer, a summary in the first
  for (int window = 0; window < 2; ++window) {
    episode.segments.emplace_back();
    Context& context = episode.segments.back().context;
    context.append(BackendAccess::sampled(AgentRole::answerer, 1, {5}, {-1.0F}));
    if (window == 0) context.append(BackendAccess::sampled(AgentRole::summarizer, 1, {6}, {-1.0F}));
  }
  const auto trained = [&](Trained choice) {
    std::string bits;
    for (std::size_t s = 0; s < 2; ++s)
      for (const Span& span : episode.segments[s].context.spans())
        bits += is_trained(ChosenView<>{choice}, episode, s, span) ? '1' : '0';
    return bits;
  };
  CHECK(trained(Trained::all) == "111");
  CHECK(trained(Trained::answerer) == "101");
  CHECK(trained(Trained::final_segment) == "001");
  CHECK(trained(Trained::final_and_summaries) == "011");
  const TokenCounts counts{.tokens = 10, .rollouts = 2, .rollout_tokens = 4};
  CHECK(ChosenMean{Mean::tokens}.weight(counts) == 0.1);
  CHECK(ChosenMean{Mean::rollouts}.weight(counts) == 0.125);
}
