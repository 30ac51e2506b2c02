/// SglangEngine before a SamplerService: it must not be able to tell it from SGLang.
#include <cstdlib>

#include "dualagent/engine/sglang_engine.hpp"
#include "dualagent/service/sampler_service.hpp"
#include "dualagent/train/trainer.hpp"
#include "support/catch.hpp"
#include "support/engine_setting.hpp"
#include "support/error_of.hpp"
#include "support/served_sampler.hpp"
#include "support/toy_protocol.hpp"
#include "support/wait_for.hpp"

using namespace dualagent;
using engine_double::Asked;
using engine_double::check_samples_over_refits;
using engine_double::generate;
using engine_double::Generations;
using engine_double::largest_log_ratio;
using engine_double::Requests;
using engine_double::Served;

namespace {

/// Something that differs among rollouts of a model that knows nothing.
struct SumOfTokens {
  std::optional<double> score(const Task&, const Rollout& rollout) const {
    double sum = 0;
    for (const Segment& segment : rollout.segments)
      for (const Token token : segment.context.tokens()) sum += token;
    return sum;
  }
};

constexpr const char* kToken = "correct-horse-battery-staple";

/// A service of a small transformer, and a learner of the same weights.
struct Setting {
  explicit Setting(SamplerServiceOptions options = {.http = {.token = kToken}})
      : model(load_model<float>(served.folder)),
        service(model, with_path(std::move(options), served.folder)) {}
  static SamplerServiceOptions with_path(SamplerServiceOptions options,
                                         const std::filesystem::path& folder) {
    options.model_path = folder.string();
    return options;
  }
  EngineOptions options() const {
    ::setenv("DUALAGENT_TEST_TOKEN", kToken, 1);
    EngineOptions options = engine_double::options_for(service.service.url(), folder / "weights");
    options.api_key_variable = "DUALAGENT_TEST_TOKEN";
    return options;
  }
  TemporaryFolder folder;
  Served served{folder / "served"};
  Transformer<float> model;
  served_sampler::Service<> service;
};

}  // namespace

TEST_CASE("SglangEngine samples by a service what the learner scores, over refits that it proves",
          "[service]") {
  Setting setting;
  SglangEngine engine(setting.options());
  check_samples_over_refits(engine, setting.served, 1e-6);
  CHECK(engine.counts().refused == 0);
  CHECK(engine.counts().again == 0);
}

TEST_CASE("a pair is trained on rollouts that a service samples, over a refit for each step",
          "[service]") {
  Setting setting;
  SglangEngine engine(setting.options());
  Trainer trainer{
      SharedWeights{Learning{setting.served.learner, engine}},
      Protocol{toy::Dialect{}, toy::Tools{toy::Successor<>{}}, TurnCount{.turns = 1},
               ReplaceBySummary{}, RolloutLimits{.max_context_tokens = 64, .max_turns = 3}},
      SumOfTokens{},
      Recipe{Dapo{}},
      LocalCollective{},
      {.group_size = 8,
       .minibatches = 1,
       .sampling = {{.temperature = 20}, {.temperature = 20}},
       .update = {.optimizer = {.learning_rate = 1e-3F}},
       .seed = 3}};
  const std::vector<Task> tasks(3, {.id = "t", .prompt = "1", .answer = "5"});
  double trained = 0;
  for (int step = 0; step < 3; ++step) {
    const StepMetrics metrics = trainer.step(tasks);
    CHECK(metrics.max_abs_log_ratio <= 1e-6);
    trained += metrics.trained_tokens;
  }
  CHECK(trained > 0);
  CHECK(engine.proof().learner_moved > 1e-3);
  CHECK(engine.weight_version() == setting.served.learner.weight_version());
}

TEST_CASE("a request that waits through a refit is not taken for one of the old weights",
          "[service]") {
  Setting setting;
  SglangEngine engine(setting.options());
  const Requests asked(2, 60);
  // Both wait in the service until it has the new weights.
  setting.service.service.loop().pause(SamplerLoop<Transformer<float>>::Pause::keep);
  Asked<SglangEngine> running(engine, asked);
  wait_for("two in the queue", [&] { return setting.service.service.loop().queued() == 2; });
  setting.served.learn();
  engine.publish(setting.served.learner, 7);  // pauses, loads and goes on
  for (const auto& [sequence, generation] : running.all()) {
    CHECK(generation.sampled.tokens().size() == 60);
    CHECK(version_runs(generation.sampled.weight_versions()) == std::vector<VersionRun>{{7, 60}});
  }
  CHECK(engine.counts().refused == 2);  // sent under 0, begun under 7: asked again
}

TEST_CASE("an engine without the token is told so", "[service]") {
  Setting setting;
  EngineOptions options = setting.options();
  options.restart_timeout_seconds = 0;
  ::setenv("DUALAGENT_TEST_TOKEN", "wrong", 1);
  CHECK_THAT(error_of([&] { SglangEngine engine(options); }),
             ContainsSubstring("SGLang does not answer"));
}

TEST_CASE("an engine waits while the service's queue is full, and loses nothing", "[service]") {
  Setting setting({.http = {.token = kToken},
                   .loop = {.max_running = 1, .max_queued = 1},
                   .retry_after_seconds = 0});
  EngineOptions options = setting.options();
  options.retries = 1000;
  SglangEngine engine(options);
  const Requests asked(12, 5);
  const Generations done = generate(engine, asked);
  CHECK(done.size() == 12);
  for (const auto& [sequence, generation] : done) {
    INFO(generation.failure);
    CHECK(generation.finish == FinishReason::length);
  }
  CHECK(largest_log_ratio(setting.served.learner, asked, done) <= 1e-6);
}

TEST_CASE("weights that cannot be loaded are an error of publish, and the old ones stay",
          "[service]") {
  Setting setting;
  EngineOptions options = setting.options();
  SglangEngine engine(options);
  TransformerConfig other = Served::config();
  other.num_hidden_layers = 2;
  Transformer<float> wrong(other);
  CHECK_THAT(error_of([&] { engine.publish(wrong, 1); }), ContainsSubstring("HTTP 400"));
  CHECK(engine.weight_version() == 0);
}

TEST_CASE("a service that stops and starts again gets its weights back and proves them",
          "[service]") {
  Setting setting;
  SglangEngine engine(setting.options());
  setting.served.learn();
  engine.publish(setting.served.learner, 1);
  const int port = setting.service.service.port();
  setting.service.service.stop();
  Transformer<float> again = load_model<float>(setting.served.folder);
  SamplerService<Transformer<float>> restarted(
      again, Setting::with_path({.http = {.port = port, .token = kToken}}, setting.served.folder));
  restarted.start();
  const Requests asked(6, 5);
  const Generations done = generate(engine, asked);
  for (const auto& [sequence, generation] : done) {
    INFO(generation.failure);
    CHECK(version_runs(generation.sampled.weight_versions()) == std::vector<VersionRun>{{1, 5}});
  }
  CHECK(largest_log_ratio(setting.served.learner, asked, done) <= 1e-6);
  CHECK(engine.counts().recovered >= 1);
}
