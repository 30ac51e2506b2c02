/// A service that follows a learner's folder, and an engine's client that follows both.
#include "dualagent/service/followed_weights.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dualagent/engine/sglang_engine.hpp"
#include "support/catch.hpp"
#include "support/engine_setting.hpp"
#include "support/error_of.hpp"
#include "support/served_sampler.hpp"
#include "support/wait_for.hpp"

using namespace dualagent;
using engine_double::Asked;
using engine_double::generate;
using engine_double::Generations;
using engine_double::largest_log_ratio;
using engine_double::Requests;

namespace {

/// A learner that publishes to a folder, and a service of its model that can be started again.
struct Setting {
  explicit Setting() { start(0); }
  /// Dies without a word, and comes back with its first weights at the same port.
  void start_again() {
    const int port = service->port();
    newest.reset();
    service.reset();
    start(port);
  }
  void start(int port) {
    model.emplace(load_model<float>(served.folder));
    service.emplace(*model, SamplerServiceOptions{.http = {.port = port}});
    service->start();
    newest.emplace(*service, weights, 1);
  }
  void publish(std::uint64_t step) {
    Checkpoint checkpoint{.step = step};
    checkpoint.add("model1.weights", std::span<const float>(served.learner.parameters()));
    checkpoint.add("model1.weight_version", std::to_string(served.learner.weight_version()));
    weights.publish(checkpoint);
  }
  EngineOptions options() const {
    EngineOptions options = engine_double::options_for(service->url(), {});
    options.published_elsewhere = true;
    return options;
  }

  TemporaryFolder folder;
  engine_double::Served served{folder / "served"};
  WeightFolder weights{folder / "weights"};
  std::optional<Transformer<float>> model;
  std::optional<SamplerService<Transformer<float>>> service;
  std::optional<FollowedWeights<Transformer<float>>> newest;
};

/// Whether all of these are whole, of this version and sampled from the learner's weights.
void check_are_of(WeightVersion version, const Generations& done, const Requests& asked,
                  Setting& at) {
  CHECK(done.size() == asked.requests.size());
  for (const auto& [sequence, generation] : done) {
    INFO(generation.failure);
    CHECK(version_runs(generation.sampled.weight_versions()) ==
          std::vector<VersionRun>{{version, 6}});
  }
  CHECK(largest_log_ratio(at.served.learner, asked, done) <= 1e-6);
}

/// A Transformer's `weights_changed` counts; the learner's versions here are 0, 1, 2, ...
void learn_and_publish(Setting& at, std::uint64_t step) {
  at.served.learn();
  at.publish(step);
}

}  // namespace

TEST_CASE("a service takes over what its learner publishes, and clients are told the version",
          "[service]") {
  Setting at;
  CHECK(!at.newest->advance());  // nothing was published
  CHECK(!at.newest->version());
  at.publish(0);
  CHECK(at.newest->advance());
  CHECK(!at.newest->advance());
  CHECK(at.newest->version() == WeightVersion{0});
  SglangEngine engine(at.options());
  const Requests asked(3, 6);
  check_are_of(0, generate(engine, asked), asked, at);
  learn_and_publish(at, 1);
  CHECK(at.newest->advance());
  check_are_of(1, generate(engine, asked), asked, at);  // though nobody said that it is there
  at.publish(2);                                        // a step without an update
  CHECK(!at.newest->advance());
  CHECK(engine.counts().refused == 0);
}

TEST_CASE("what is asked for after a publishing waits until the service has it", "[service]") {
  Setting at;
  at.publish(0);
  at.newest->advance();
  SglangEngine engine(at.options());
  learn_and_publish(at, 1);
  engine.follow(1);
  CHECK(engine.weight_version() == 1);
  const Requests asked(3, 6);
  Asked<SglangEngine> running(engine, asked);
  // It has version 0.
  wait_for("a reply that is refused", [&] { return engine.counts().refused > 0; });
  at.newest->advance();
  check_are_of(1, running.all(), asked, at);
  engine.follow(0);  // what is behind changes nothing
  CHECK(engine.weight_version() == 1);
}

TEST_CASE("a service that died is waited for until it has the weights again", "[service]") {
  Setting at;
  learn_and_publish(at, 1);
  at.newest->advance();
  SglangEngine engine(at.options());
  engine.follow(1);
  const Requests asked(3, 6);
  check_are_of(1, generate(engine, asked), asked, at);
  at.start_again();  // with the weights `default`
  Asked<SglangEngine> running(engine, asked);
  wait_for("a reply that is refused", [&] { return engine.counts().refused > 0; });
  CHECK(at.newest->advance());
  check_are_of(1, running.all(), asked, at);
}

TEST_CASE("weights that do not come are an error that says what the service has", "[service]") {
  Setting at;
  at.publish(0);
  at.newest->advance();
  EngineOptions options = at.options();
  options.restart_timeout_seconds = 0;
  SglangEngine engine(options);
  engine.follow(7);
  const Generations done = generate(engine, Requests(1, 6));
  CHECK_THAT(done.at(0).failure,
             ContainsSubstring("SGLang has the weights '0', not those of version 7 or later"));
}

TEST_CASE("who follows does not publish, and who does not follow is not told", "[service]") {
  Setting at;
  SglangEngine engine(at.options());
  CHECK_THAT(error_of([&] { engine.publish(at.served.learner, 1); }),
             ContainsSubstring("another process publishes to this engine"));
  EngineOptions options = at.options();
  options.published_elsewhere = false;
  SglangEngine alone(options);
  CHECK_THAT(error_of([&] { alone.follow(1); }), ContainsSubstring("published_elsewhere"));
}

TEST_CASE("weights of another model change nothing of a service", "[service]") {
  Setting at;
  at.publish(0);
  at.newest->advance();
  Checkpoint checkpoint{.step = 1};
  const std::vector<float> few(3);
  checkpoint.add("model1.weights", std::span<const float>(few));
  checkpoint.add("model1.weight_version", "1");
  at.weights.publish(checkpoint);
  CHECK_THAT(error_of([&] { at.newest->advance(); }), ContainsSubstring("model1.weights"));
  SglangEngine engine(at.options());
  const Requests asked(2, 6);
  check_are_of(0, generate(engine, asked), asked, at);
}
