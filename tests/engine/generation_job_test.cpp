#include "dualagent/engine/generation_job.hpp"

#include <span>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/error_of.hpp"

using namespace dualagent;

namespace {

using Tokens = std::vector<Token>;

EngineReply said(Tokens tokens, EngineEnd end) {
  EngineReply reply{.tokens = std::move(tokens), .end = end};
  reply.log_probs.assign(reply.tokens.size(), -0.5F);
  return reply;
}

struct OneJob {
  explicit OneJob(StopRule rule, std::size_t max_context = 32)
      : stop(std::move(rule)),
        job({.sequence = 3,
             .context = context,
             .sampling = {.temperature = 0.5F},
             .stop = &stop,
             .random = RandomStream::from_seed(1)},
            100, max_context) {}
  std::optional<FinishReason> take(Tokens tokens, EngineEnd end) {
    const EngineReply reply = said(std::move(tokens), end);
    return job.take(reply, std::vector<WeightVersion>(reply.tokens.size(), 4));
  }
  Tokens context{10, 11, 12};
  StopRule stop;
  GenerationJob job;
};

/// True at the first token that is at least 90 after a token 50, whose text is "<".
struct Late {
  bool ends(std::span<const Token> tokens) const {
    return std::find(tokens.begin(), tokens.end(), 50) != tokens.end() && tokens.back() >= 90;
  }
};

}  // namespace

TEST_CASE("a reply that ends as the rule says is the generation", "[engine]") {
  OneJob one({.stop_tokens = {7}, .max_new_tokens = 5});
  const EngineCall call = one.job.call();
  CHECK(call.tokens == Tokens{10, 11, 12});
  CHECK(call.temperature == 0.5F);
  CHECK(call.max_new_tokens == 5);
  CHECK(call.stop_tokens == Tokens{7});
  CHECK(call.seed == RandomStream::from_seed(1).bits(0) >> 1U);
  CHECK(one.take({1, 2, 7}, EngineEnd::stop) == FinishReason::stop);
  const Generation done = one.job.finished(FinishReason::stop);
  CHECK(done.sequence == 3);
  CHECK(std::ranges::equal(done.sampled.tokens(), Tokens{1, 2, 7}));
  CHECK(done.sampled.weight_versions()[2] == 4);
  CHECK(OneJob({.max_new_tokens = 2}).take({1, 2}, EngineEnd::length) == FinishReason::length);
}

TEST_CASE("an end that is none of the rule's is gone on from", "[engine]") {
  OneJob one({.stop_tokens = {7}, .max_new_tokens = 5});
  CHECK(one.take({1, 2}, EngineEnd::stop) == std::nullopt);  // 2: an end of sequence of its own
  const EngineCall call = one.job.call();
  CHECK(call.tokens == Tokens{10, 11, 12, 1, 2});
  CHECK(call.max_new_tokens == 3);
  CHECK(call.seed == RandomStream::from_seed(1).bits(2) >> 1U);
  CHECK(one.take({3}, EngineEnd::aborted) == std::nullopt);  // what there is is kept
  CHECK(one.take({4, 5}, EngineEnd::length) == FinishReason::length);
  CHECK(std::ranges::equal(one.job.finished(FinishReason::length).sampled.tokens(),
                           Tokens{1, 2, 3, 4, 5}));
}

TEST_CASE("after a string the rule's check decides, at any later token", "[engine]") {
  const Late late;
  OneJob one({.max_new_tokens = 20, .stop_early = EarlyStop::of<&Late::ends>(late, {"<"})});
  CHECK(one.job.call().strings == std::vector<std::string>{"<"});
  CHECK(one.take({95, 50}, EngineEnd::stop) == std::nullopt);
  CHECK(one.job.call().strings.empty());
  CHECK(one.take({1, 2, 91, 3, 4}, EngineEnd::length) == FinishReason::early);
  CHECK(std::ranges::equal(one.job.generated(), Tokens{95, 50, 1, 2, 91}));
}

TEST_CASE("what cannot be of use is not asked for: the length of patterns, the context's room",
          "[engine]") {
  const TokenPattern yes_or_no{.positions = {{1, 2}, {7}}};
  OneJob closed({.max_new_tokens = 20, .stop_early = EarlyStop::unless({yes_or_no})});
  CHECK(closed.job.call().max_new_tokens == 3);
  CHECK(closed.take({1, 7, 5}, EngineEnd::length) == FinishReason::early);
  OneJob open({.max_new_tokens = 20,
               .stop_early = EarlyStop::unless({{.positions = {{1}}, .open_ended = true}})});
  CHECK(open.job.call().max_new_tokens == 20);
  OneJob full({.max_new_tokens = 20}, 5);
  CHECK(full.job.call().max_new_tokens == 2);
  CHECK(full.take({1, 2}, EngineEnd::length) == FinishReason::context_full);
}

TEST_CASE("a reply without tokens is refused, unless it was aborted", "[engine]") {
  OneJob one({.max_new_tokens = 5});
  CHECK(one.take({}, EngineEnd::aborted) == std::nullopt);
  CHECK_THAT(error_of([&] { one.take({}, EngineEnd::stop); }), ContainsSubstring("no tokens"));
  CHECK(one.job.failed("why").finish == FinishReason::failed);
  CHECK(one.job.failed("why").failure == "why");
}
