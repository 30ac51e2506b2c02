// The judge: alone in a file, since it needs libcurl, which not every machine has.

#include "reward.hpp"

#ifdef RETOOL_SUMMARY_HTTP
#include <memory>

#include "dualagent/reward/judge.hpp"
#include "dualagent/service/openai_client.hpp"
#endif

namespace retool_summary {

#ifdef RETOOL_SUMMARY_HTTP

namespace {
/// A judge and the client that it asks with.
struct OwnedJudge {
  std::shared_ptr<const dualagent::OpenAiClient> client;
  AnyReward judge;
  std::optional<double> score(const dualagent::Task& task,
                              const dualagent::Rollout& rollout) const {
    return judge.score(task, rollout);
  }
  void score_all(std::span<const dualagent::ScoreRequest> requests,
                 std::span<std::optional<double>> scores) const {
    judge.score_all(requests, scores);
  }
};
}  // namespace

AnyReward with_judge(AnyReward base, const Options& options,
                     const dualagent::HuggingFaceTokenizer& tokenizer) {
  using namespace dualagent;
  auto client = std::make_shared<const OpenAiClient>(
      OpenAiOptions{.base_url = options.judge, .api_key_variable = options.judge_key});
  const auto text = [tokenizer](Token token) { return tokenizer.bytes_of(token); };
  Judge judge(*client, JudgedSummaries{text}, {.model = options.judge_model});
  return AnyReward(GuardedBonus{std::move(base), OwnedJudge{client, AnyReward(std::move(judge))},
                                options.judge_weight});
}

#else

AnyReward with_judge(AnyReward, const Options&, const dualagent::HuggingFaceTokenizer&) {
  throw dualagent::Error("this build cannot ask a server", "--judge",
                         "Install libcurl4-openssl-dev, then run examples/retool_summary/run.sh "
                         "again, which builds anew");
}

#endif

}  // namespace retool_summary
