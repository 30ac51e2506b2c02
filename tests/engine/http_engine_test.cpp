#include "dualagent/engine/http_engine.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "dualagent/engine/sglang_engine.hpp"
#include "dualagent/engine/vllm_engine.hpp"
#include "dualagent/model/adapted_transformer.hpp"
#include "support/catch.hpp"
#include "support/engine_double.hpp"
#include "support/engine_setting.hpp"
#include "support/error_of.hpp"
#include "support/temporary_folder.hpp"
#include "support/wait_for.hpp"

using namespace dualagent;
using engine_double::Asked;
using engine_double::check_samples_over_refits;
using engine_double::Engine;
using engine_double::Fault;
using engine_double::generate;
using engine_double::Generations;
using engine_double::Kind;
using engine_double::kKind;
using engine_double::largest_log_ratio;
using engine_double::Requests;
using engine_double::Setting;

namespace {

template <class EngineType>
std::string refusal(Fault fault, int updates = 1) {
  Setting<EngineType> setting;
  EngineType engine(setting.options());
  setting.server.fault = fault;
  return error_of([&] {
    for (WeightVersion version = 1; version <= static_cast<WeightVersion>(updates); ++version) {
      setting.served.learn();
      engine.publish(setting.served.learner, version);
    }
  });
}

}  // namespace

TEMPLATE_TEST_CASE("an engine samples what the learner scores, each token with its version",
                   "[engine]", SglangEngine, VllmEngine) {
  Setting<TestType> setting;
  TestType engine(setting.options());
  check_samples_over_refits(engine, setting.served, 1e-5);
  CHECK(engine.counts().refused == 0);
  CHECK(engine.counts().recovered == 0);
  std::size_t folders = 0;  // only the newest weights are kept
  for (const auto& entry : std::filesystem::directory_iterator(setting.options().weights_folder))
    folders += entry.is_directory() ? 1 : 0;
  CHECK(folders == 1);
}

TEST_CASE("an adapter is published merged with its base", "[engine]") {
  Setting<SglangEngine> setting;
  AdaptedTransformer<float> adapter(setting.served.learner, LowRank{.rank = 2});
  std::size_t i = 0;
  for (float& weight : adapter.parameters()) weight += (i++ % 2 == 0 ? 0.2F : -0.1F);
  adapter.weights_changed();
  SglangEngine engine(setting.options());
  CHECK(engine.publish(adapter, 1) == 1);
  CHECK(engine.proof().max_abs_log_ratio <= 1e-5);
}

TEMPLATE_TEST_CASE("the proof finds what went wrong with an update", "[engine]", SglangEngine,
                   VllmEngine) {
  CHECK(refusal<TestType>(Fault::none, 3) == "no error");
  const auto differs = ContainsSubstring("does not sample from the weights that it was given");
  CHECK_THAT(refusal<TestType>(Fault::stale_weights), differs);
  CHECK_THAT(refusal<TestType>(Fault::stale_prefix_cache, 2), differs);
  CHECK_THAT(refusal<TestType>(Fault::garbage_later, 2), differs);
  CHECK_THAT(refusal<TestType>(Fault::cut_silently), differs);
  CHECK_THAT(refusal<TestType>(Fault::temperature_one), differs);
}

TEMPLATE_TEST_CASE("one update is not enough to find a stale prefix cache or late garbage, two are",
                   "[engine]", SglangEngine, VllmEngine) {
  CHECK(refusal<TestType>(Fault::garbage_later, 1) == "no error");
}

TEMPLATE_TEST_CASE("weights that are stale after sleep and wake are found", "[engine]",
                   SglangEngine, VllmEngine) {
  Setting<TestType> setting;
  TestType engine(setting.options());
  setting.served.learn();
  engine.publish(setting.served.learner, 1);
  engine.sleep();
  engine.wake();
  const Requests asked(3, 4);
  CHECK(largest_log_ratio(setting.served.learner, asked, generate(engine, asked)) <= 1e-5);

  setting.server.fault = Fault::stale_after_wake;
  engine.sleep();
  CHECK_THAT(error_of([&] { engine.wake(); }),
             ContainsSubstring("does not sample from the weights"));
  for (const auto& [sequence, generation] : generate(engine, asked)) {
    CHECK(generation.finish == FinishReason::failed);
    CHECK_THAT(generation.failure, ContainsSubstring("does not sample from the weights"));
  }
  setting.server.fault = Fault::none;
  CHECK(largest_log_ratio(setting.served.learner, asked, generate(engine, asked)) <= 1e-5);
}

TEMPLATE_TEST_CASE("a generation that runs on through an update has both versions", "[engine]",
                   SglangEngine, VllmEngine) {
  Setting<TestType> setting;
  TestType engine(setting.options());
  setting.server.close();
  const Requests asked(2, 5);
  Asked<TestType> running(engine, asked);
  setting.server.wait_until_stopped(2);
  setting.served.learn();
  std::thread update([&] { engine.publish(setting.served.learner, 7); });
  wait_for("the new weights", [&] { return setting.server.loads > 0; });
  setting.server.open();
  const Generations done = running.all();
  update.join();
  for (const auto& [sequence, generation] : done)
    CHECK(version_runs(generation.sampled.weight_versions()) ==
          std::vector<VersionRun>{{0, 1}, {7, 4}});
}

TEMPLATE_TEST_CASE("a version that is stamped when the reply is written is refused", "[engine]",
                   SglangEngine, VllmEngine) {
  Setting<TestType> setting;
  TestType engine(setting.options());
  setting.server.fault = Fault::stamped_late;
  setting.server.close();
  const Requests asked(2, 5);
  Asked<TestType> running(engine, asked);
  setting.server.wait_until_stopped(2);
  setting.served.learn();
  std::thread update([&] { engine.publish(setting.served.learner, 7); });
  wait_for("the new weights", [&] { return setting.server.loads > 0; });
  setting.server.open();
  for (const auto& [sequence, generation] : running.all())  // asked again, under the new weights
    CHECK(version_runs(generation.sampled.weight_versions()) == std::vector<VersionRun>{{7, 5}});
  update.join();
  CHECK(engine.counts().refused == 2);
}

TEMPLATE_TEST_CASE("what a running generation sampled from weights that fail their proof is lost",
                   "[engine]", SglangEngine, VllmEngine) {
  Setting<TestType> setting;
  TestType engine(setting.options());
  setting.served.learn();
  engine.publish(setting.served.learner, 1);
  Transformer<float> old = setting.served.learner.copy();
  setting.server.close();
  const Requests asked(2, 5);
  Asked<TestType> running(engine, asked);
  setting.server.wait_until_stopped(2);
  setting.server.fault = Fault::garbage_later;
  setting.served.learn();
  std::thread update([&] {
    CHECK_THAT(error_of([&] { engine.publish(setting.served.learner, 2); }),
               ContainsSubstring("does not sample from the weights"));
    setting.server.fault = Fault::none;
  });
  wait_for("the new weights", [&] { return setting.server.loads > 1; });
  setting.server.open();
  update.join();
  CHECK(engine.weight_version() == 1);
  const Generations done = running.all();
  for (const auto& [sequence, generation] : done)
    CHECK(version_runs(generation.sampled.weight_versions()) == std::vector<VersionRun>{{1, 5}});
  CHECK(largest_log_ratio(old, asked, done) <= 1e-5);  // the weights of version 1 are back
}

TEMPLATE_TEST_CASE("an engine that crashes gets its weights again and no request is lost",
                   "[engine]", SglangEngine, VllmEngine) {
  Setting<TestType> setting;
  TestType engine(setting.options());
  setting.served.learn();
  engine.publish(setting.served.learner, 1);
  const Requests asked(12, 5);
  for (int times = 1; times <= 2; ++times) {
    setting.server.close();
    Asked<TestType> running(engine, asked);
    setting.server.wait_until_stopped(8);
    setting.server.crash();
    setting.server.open();
    setting.server.start();
    const Generations done = running.all();
    CHECK(done.size() == 12);
    for (const auto& [sequence, generation] : done) {
      INFO(generation.failure);
      CHECK(version_runs(generation.sampled.weight_versions()) == std::vector<VersionRun>{{1, 5}});
    }
    CHECK(largest_log_ratio(setting.served.learner, asked, done) <= 1e-5);
    CHECK(engine.counts().recovered >= static_cast<std::size_t>(times));
  }
}

TEMPLATE_TEST_CASE("an engine that restarts unseen is found by what its replies say", "[engine]",
                   SglangEngine, VllmEngine) {
  Setting<TestType> setting;
  TestType engine(setting.options());
  setting.served.learn();
  engine.publish(setting.served.learner, 1);
  setting.server.crash();  // nothing was under way
  setting.server.start();
  const Requests asked(4, 3);
  const Generations done = generate(engine, asked);
  for (const auto& [sequence, generation] : done)
    CHECK(version_runs(generation.sampled.weight_versions()) == std::vector<VersionRun>{{1, 3}});
  CHECK(largest_log_ratio(setting.served.learner, asked, done) <= 1e-5);
  CHECK(setting.server.loads == 2);
}

TEMPLATE_TEST_CASE("an engine that stays away fails its requests and no others later", "[engine]",
                   SglangEngine, VllmEngine) {
  Setting<TestType> setting;
  EngineOptions options = setting.options();
  options.restart_timeout_seconds = 0;
  TestType engine(options);
  const Requests asked(3, 3);
  setting.server.crash();
  for (const auto& [sequence, generation] : generate(engine, asked)) {
    CHECK(generation.finish == FinishReason::failed);
    CHECK_THAT(generation.failure, ContainsSubstring("does not answer"));
    CHECK_THAT(generation.failure, ContainsSubstring(setting.server.url()));
  }
  setting.server.start();
  for (const auto& [sequence, generation] : generate(engine, asked))
    CHECK(generation.finish == FinishReason::length);
}

TEMPLATE_TEST_CASE("requests that were reset do not come back, and the engine goes on", "[engine]",
                   SglangEngine, VllmEngine) {
  Setting<TestType> setting;
  TestType engine(setting.options());
  setting.server.close();
  {
    const Requests abandoned(12, 4);
    for (const GenerationRequest& request : abandoned.requests) engine.submit(request);
    setting.server.wait_until_stopped(8);
    engine.reset();
  }
  setting.server.open();
  const Requests asked(5, 4);
  CHECK(generate(engine, asked).size() == 5);
  engine.advance([](Generation&&) { CHECK(false); });
}

TEMPLATE_TEST_CASE("an engine that is busy is asked again, one that goes on refusing is not",
                   "[engine]", SglangEngine, VllmEngine) {
  Setting<TestType> setting;
  TestType engine(setting.options());
  const Requests asked(1, 4);
  const std::size_t before = setting.server.requests().size();
  setting.server.status = 503;
  for (const auto& [sequence, generation] : generate(engine, asked)) {
    CHECK(generation.finish == FinishReason::failed);
    CHECK_THAT(generation.failure, ContainsSubstring("HTTP 503"));
  }
  CHECK(engine.counts().again == 3);
  setting.server.status = 400;
  CHECK_THAT(generate(engine, asked).at(0).failure, ContainsSubstring("HTTP 400"));
  CHECK(engine.counts().again == 3);
  CHECK(setting.server.requests().size() == before);
  setting.server.status = 200;
  CHECK(generate(engine, asked).at(0).finish == FinishReason::length);
}

TEMPLATE_TEST_CASE("no more requests are under way than allowed; the others wait", "[engine]",
                   SglangEngine, VllmEngine) {
  Setting<TestType> setting;
  EngineOptions options = setting.options();
  options.max_in_flight = 3;
  TestType engine(options);
  setting.server.close();
  const std::size_t before = setting.server.requests().size();
  const Requests asked(9, 4);
  Asked<TestType> running(engine, asked);
  setting.server.wait_until_stopped(3);
  CHECK(setting.server.requests().size() == before + 3);
  setting.server.open();
  CHECK(running.all().size() == 9);
}

TEMPLATE_TEST_CASE("the stop rule decides where a generation ends, whatever the engine stops at",
                   "[engine]", SglangEngine, VllmEngine) {
  Setting<TestType> plain;
  TestType engine(plain.options());
  const Requests asked(6, 12);
  const Generations whole = generate(engine, asked);
  const auto ended = [&](const StopRule& stop) {
    Requests cut(6, 12);
    cut.stop = stop;
    return generate(engine, cut);
  };
  for (const Token token : {Token{1}, Token{7}}) {
    for (const auto& [sequence, one] : ended({.stop_tokens = {token}, .max_new_tokens = 12})) {
      const auto all = whole.at(sequence).sampled.tokens();
      const auto found = std::find(all.begin(), all.end(), token);
      const auto end = found == all.end() ? found : found + 1;
      CHECK(std::ranges::equal(one.sampled.tokens(), std::span(all.begin(), end)));
      CHECK((one.finish == FinishReason::stop) == (found != all.end()));
    }
  }
  const auto four = [](std::span<const Token> said) { return said.size() == 4; };
  for (const auto& [sequence, one] : ended({.max_new_tokens = 12, .stop_early = four})) {
    CHECK(one.finish == FinishReason::early);
    CHECK(std::ranges::equal(one.sampled.tokens(), whole.at(sequence).sampled.tokens().first(4)));
  }
  const std::size_t before = plain.server.requests().size();
  const TokenPattern pattern{.positions = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}}};
  for (const auto& [sequence, one] :
       ended({.max_new_tokens = 12, .stop_early = EarlyStop::unless({pattern})}))
    CHECK(one.sampled.tokens().size() <= 2);
  const nlohmann::json params = plain.server.requests().at(before).at("sampling_params");
  CHECK(params.at(kKind<TestType> == Kind::sglang ? "max_new_tokens" : "max_tokens") == 2);

  Setting<TestType> with_eos(whole.at(0).sampled.tokens()[2]);  // ends generations unasked
  TestType other(with_eos.options());
  for (const auto& [sequence, one] : generate(other, asked))
    CHECK(one.sampled.tokens().size() == 12);
}

TEMPLATE_TEST_CASE("requests that no engine may get are refused at once", "[engine]", SglangEngine,
                   VllmEngine) {
  Setting<TestType> setting;
  TestType engine(setting.options());
  const auto submit = [&](std::vector<Token> context, SamplingOptions sampling) {
    const StopRule stop{.max_new_tokens = 2};
    return error_of([&] {
      engine.submit({.context = context, .sampling = sampling, .stop = &stop, .random = {}});
    });
  };
  CHECK_THAT(submit({1, 24}, {}), ContainsSubstring("the token 24"));
  CHECK_THAT(submit({1, -1}, {}), ContainsSubstring("the token -1"));
  CHECK_THAT(submit({}, {}), ContainsSubstring("0 tokens"));
  CHECK_THAT(submit(std::vector<Token>(64, 1), {}), ContainsSubstring("1 to 63"));
  CHECK_THAT(submit({1}, {.top_k = 5}), ContainsSubstring("top_k"));
}
