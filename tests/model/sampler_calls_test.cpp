#include "dualagent/model/sampler_calls.hpp"

#include <cstddef>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/error_of.hpp"

using namespace dualagent;

namespace {

/// Notes its calls; every advance ends the last request.
struct Noting {
  std::vector<std::string> calls;
  std::vector<GenerationRequest> submitted;

  void submit(const GenerationRequest& request) {
    std::string text = "submit " + std::to_string(request.sequence) + ":";
    for (const Token token : request.context) text += " " + std::to_string(token);
    calls.push_back(text + ", at most " + std::to_string(request.stop->max_new_tokens));
    submitted.push_back(request);
  }
  template <class OnFinished>
  std::size_t advance(OnFinished&& on_finished) {
    calls.push_back("advance");
    on_finished(Generation::failed(submitted.back(), "of no use"));
    return 0;
  }
  void release(SequenceId sequence) { calls.push_back("release " + std::to_string(sequence)); }
  void reset() { calls.push_back("reset"); }
};

}  // namespace

TEST_CASE("calls of a sampler are repeated in their order", "[model]") {
  const std::vector<Token> context{3, 1, 4};
  const StopRule stop{.stop_tokens = {2}, .max_new_tokens = 6};
  SamplerCalls calls;
  calls.submit({.sequence = (SequenceId{1} << 60U) + 1,
                .context = context,
                .sampling = {.temperature = 0.5F, .top_k = 3, .top_p = 0.9F, .min_p = 0.1F},
                .stop = &stop,
                .random = {}});
  calls.advance();
  RepeatedCalls repeated;
  Noting sampler;
  repeated.repeat(calls.take(), sampler);
  calls.release(8);
  calls.reset();
  repeated.repeat(calls.take(), sampler);
  CHECK(sampler.calls == std::vector<std::string>{"submit 1152921504606846977: 3 1 4, at most 6",
                                                  "advance", "release 8", "reset"});
  const SamplingOptions& sampling = sampler.submitted[0].sampling;
  CHECK(sampling.temperature == 0.5F);
  CHECK(sampling.top_k == 3);
  CHECK(sampling.top_p == 0.9F);
  CHECK(sampling.min_p == 0.1F);
  CHECK(calls.take().empty());
}

TEST_CASE("bytes that do not encode calls are refused", "[model]") {
  RepeatedCalls repeated;
  Noting sampler;
  const std::vector<std::byte> unknown{std::byte{9}}, cut{std::byte{2}, std::byte{1}};
  CHECK_THROWS_WITH(repeated.repeat(unknown, sampler), ContainsSubstring("there is no such call"));
  CHECK_THROWS_WITH(repeated.repeat(cut, sampler), ContainsSubstring("ends within a sequence"));
}
