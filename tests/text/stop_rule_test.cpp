#include "dualagent/text/stop_rule.hpp"

#include <span>
#include <string>
#include <vector>

#include "dualagent/model/scripted.hpp"
#include "support/bigram_model.hpp"
#include "support/catch.hpp"

using namespace dualagent;

namespace {

using Tokens = std::vector<Token>;

struct Said {
  Tokens tokens;
  FinishReason finish = FinishReason::stop;
};

template <class Model>
Said generate(Model& model, const StopRule& stop) {
  const Tokens context{0};
  GenerationRequest request;
  request.context = context;
  request.stop = &stop;
  request.sampling.temperature = 0.0F;
  model.submit(request);
  Said said;
  while (model.advance([&](Generation&& generation) {
    said.tokens.assign(generation.sampled.tokens().begin(), generation.sampled.tokens().end());
    said.finish = generation.finish;
  }) > 0) {
  }
  return said;
}

/// Both say 1 2 3 4 5 ... 9 after token 0.
ScriptedModel counting_script() {
  return ScriptedModel{10, [](std::span<const Token>, AgentRole, const RandomStream&) {
                         return Tokens{1, 2, 3, 4, 5, 6, 7, 8, 9};
                       }};
}
BigramModel counting_bigram() {
  BigramModel model(10);
  for (std::size_t token = 0; token < 9; ++token) model.parameters()[token * 10 + token + 1] = 9.0;
  return model;
}

}  // namespace

TEST_CASE("a stop rule without settings ends after one token", "[text]") {
  ScriptedModel model = counting_script();
  const Said said = generate(model, StopRule{});
  CHECK(said.tokens == Tokens{1});
  CHECK(said.finish == FinishReason::length);
}

TEST_CASE("backends obey stop tokens, early stops and limits, whichever comes first", "[text]") {
  const auto check = [](auto model) {
    const Said stopped = generate(model, {{7, 4}, 8, nullptr});
    CHECK(stopped.tokens == Tokens{1, 2, 3, 4});  // the stop token is part of the result
    CHECK(stopped.finish == FinishReason::stop);

    const Said cut = generate(model, {{4}, 3, nullptr});
    CHECK(cut.tokens == Tokens{1, 2, 3});
    CHECK(cut.finish == FinishReason::length);

    const Said stopped_at_limit = generate(model, {{4}, 4, nullptr});
    CHECK(stopped_at_limit.finish == FinishReason::stop);

    const Said early = generate(
        model, {{4}, 8, [](std::span<const Token> generated) { return generated.size() == 2; }});
    CHECK(early.tokens == Tokens{1, 2});
    CHECK(early.finish == FinishReason::early);
  };
  check(counting_script());
  check(counting_bigram());
}

TEST_CASE("a generation ends with the first token that no pattern allows", "[text]") {
  const EarlyStop stop = EarlyStop::unless({{{{1, 2}, {3}}, false}, {{{4}}, true}});
  for (const Tokens& said : {Tokens{1}, Tokens{2, 3}, Tokens{4}, Tokens{4, 9, 9, 9}})
    CHECK(!stop(said));
  for (const Tokens& said : {Tokens{3}, Tokens{1, 4}, Tokens{2, 3, 3}, Tokens{9}})
    CHECK(stop(said));
  CHECK(!EarlyStop());
  CHECK(stop);
  CHECK(!stop.has_check());

  const auto check = [](auto model) {
    const Said said = generate(model, {{9}, 8, EarlyStop::unless({{{{1}, {2, 4}}, false}})});
    CHECK(said.tokens == Tokens{1, 2, 3});
    CHECK(said.finish == FinishReason::early);
  };
  check(counting_script());
  check(counting_bigram());
}

TEST_CASE("a check stands behind the data of a stop", "[text]") {
  struct Dialect {
    bool ended(std::span<const Token> said) const { return said.back() == 3; }
  };
  const Dialect dialect;
  const EarlyStop stop = EarlyStop::of<&Dialect::ended>(dialect, {"three"});
  CHECK(stop.has_check());
  CHECK(stop.strings() == std::vector<std::string>{"three"});
  CHECK(!stop(Tokens{1, 2}));
  CHECK(stop(Tokens{1, 2, 3}));
  CHECK(!EarlyStop({}, {"three"})(Tokens{3}));  // where the check is not, strings end nothing
}
