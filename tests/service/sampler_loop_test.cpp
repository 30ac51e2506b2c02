#include "dualagent/service/sampler_loop.hpp"

#include <algorithm>
#include <atomic>
#include <limits>
#include <string>
#include <vector>

#include "dualagent/model/scripted.hpp"
#include "support/catch.hpp"
#include "support/engine_double.hpp"
#include "support/error_of.hpp"
#include "support/remote_model.hpp"
#include "support/temporary_folder.hpp"
#include "support/wait_for.hpp"

using namespace dualagent;
using engine_double::Served;
using Live = std::shared_ptr<LiveGeneration>;

namespace {

constexpr std::size_t kEndless = 5'000'000;

/// Says 1, 2, 3, ... after any context; a prompt of 9 cannot be submitted, one of 8 ends wrongly,
/// one of 7 goes on for longer than any test.
ScriptedModel counting() {
  return ScriptedModel(
      1000,
      [](std::span<const Token> context, AgentRole, const RandomStream&) {
        std::vector<Token> said;
        if (context[0] == 9) return said;
        if (context[0] == 7) return std::vector<Token>(kEndless, 1);
        for (Token i = 1; i <= (context[0] == 8 ? 2 : 900); ++i) said.push_back(i);
        return said;
      },
      kEndless);
}

GenerateItem item(std::vector<Token> prompt, std::size_t new_tokens, const std::string& rid = {}) {
  return {.prompt = std::move(prompt), .rid = rid, .max_new_tokens = new_tokens};
}

/// A loop, and a queue of what it takes.
template <class M>
struct Looped {
  explicit Looped(M& model, SamplerLoopOptions options = {})
      : loop(model, std::move(options), {}, metrics) {}
  Live ask(GenerateItem one) {
    return loop.submit({.items = {std::move(one)}}, [this] { changed.notify_all(); })[0];
  }
  ServedGeneration wait(const Live& live) {
    std::unique_lock lock(mutex);
    const auto end = end_of_patience();
    while (!live->has_ended()) {
      if (std::chrono::steady_clock::now() >= end) FAIL("a generation does not end");
      changed.wait_for(lock, std::chrono::milliseconds(1));
    }
    return live->look();
  }
  ServiceMetrics metrics;
  std::mutex mutex;
  std::condition_variable changed;
  SamplerLoop<M> loop;
};

using Kind = ServedEnd::Kind;

}  // namespace

TEST_CASE("many requests are continued together, and all of them end", "[service]") {
  ScriptedModel model = counting();
  Looped looped(model, {.max_running = 5, .max_queued = 100});
  std::vector<Live> asked;
  for (std::size_t i = 1; i <= 50; ++i) asked.push_back(looped.ask(item({1}, i)));
  for (std::size_t i = 1; i <= 50; ++i) {
    const ServedGeneration done = looped.wait(asked[i - 1]);
    CHECK(done.tokens.size() == i);
    CHECK(done.end->kind == Kind::length);
    CHECK(done.labels.at(0).label == "default");
    CHECK(done.labels.at(0).end == i);
  }
  CHECK(looped.loop.running() == 0);
  CHECK(looped.loop.flush());
}

TEST_CASE("requests begin in their order, as many as there are places for", "[service]") {
  std::vector<Token> begun;  // of the loop's thread, until all have ended
  ScriptedModel model(
      1000,
      [&](std::span<const Token> context, AgentRole, const RandomStream&) {
        begun.push_back(context[0]);
        return std::vector<Token>(3, 1);
      },
      1000);
  Looped looped(model, {.max_running = 2, .max_queued = 2});
  looped.loop.pause(SamplerLoop<ScriptedModel>::Pause::keep);
  std::vector<Live> asked;
  for (Token i = 0; i < 4; ++i) asked.push_back(looped.ask(item({i}, 3)));
  CHECK_THROWS_AS(looped.ask(item({1}, 1)), QueueFull);
  CHECK(looped.loop.queued() == 4);
  CHECK(!looped.loop.flush());
  looped.loop.go_on();
  for (const Live& live : asked) CHECK(looped.wait(live).tokens.size() == 3);
  CHECK(begun == std::vector<Token>{0, 1, 2, 3});
}

TEST_CASE("a request is aborted by the beginning of its name, before it begins or while it runs",
          "[service]") {
  ScriptedModel model = counting();
  Looped looped(model, {.max_running = 1});
  looped.loop.pause(SamplerLoop<ScriptedModel>::Pause::keep);
  const Live first = looped.ask(item({1}, 900, "a1")), second = looped.ask(item({1}, 5, "b")),
             third = looped.ask(item({1}, 900, "a2"));
  looped.loop.abort("a");
  for (const Live& live : {first, third}) {
    const ServedGeneration done = looped.wait(live);  // although generation stands
    CHECK(done.end->kind == Kind::aborted);
    CHECK(done.tokens.empty());
  }
  looped.loop.go_on();
  CHECK(looped.wait(second).tokens.size() == 5);
  const Live running = looped.ask(item({7}, kEndless, "c"));
  looped.loop.abandon({running});
  const ServedGeneration done = looped.wait(running);
  CHECK(done.end->kind == Kind::aborted);
  CHECK(done.tokens.size() < kEndless);
}

TEST_CASE("pausing with abort ends what there is and holds what comes", "[service]") {
  ScriptedModel model = counting();
  Looped looped(model);
  const Live before = looped.ask(item({7}, kEndless));
  wait_for("one that runs", [&] { return looped.loop.running() > 0; });
  looped.loop.pause(SamplerLoop<ScriptedModel>::Pause::abort);
  REQUIRE(before->has_ended());  // nothing runs through a pause
  CHECK(looped.loop.running() == 0);
  const Live after = looped.ask(item({1}, 2));
  CHECK(before->look().end->kind == Kind::aborted);
  CHECK(looped.loop.queued() == 1);
  CHECK(looped.loop.paused());
  looped.loop.go_on();
  CHECK(looped.wait(after).tokens.size() == 2);
}

TEST_CASE("a request that the sampler refuses fails alone", "[service]") {
  ScriptedModel model = counting();
  Looped looped(model);
  const Live running = looped.ask(item({7}, kEndless));
  const ServedGeneration refused = looped.wait(looped.ask(item({9}, 5)));
  CHECK(refused.end->kind == Kind::failed);
  CHECK_THAT(refused.end->said, ContainsSubstring("a script returned no tokens"));
  CHECK(looped.loop.running() == 1);
  CHECK(!running->has_ended());
  looped.loop.abandon({running});
  CHECK(looped.wait(running).end->kind == Kind::aborted);
}

TEST_CASE("an exception of the sampler fails what runs, and the next request is served",
          "[service]") {
  ScriptedModel model = counting();
  Looped looped(model);
  for (const Token bad : {Token{9}, Token{8}}) {
    const ServedGeneration done = looped.wait(looped.ask(item({bad}, 900)));
    CHECK(done.end->kind == Kind::failed);
    CHECK_THAT(done.end->said, ContainsSubstring("script"));
    CHECK(looped.wait(looped.ask(item({1}, 3))).tokens.size() == 3);
  }
}

TEST_CASE("a sampler that cannot be reset is not used again, and may still read what it was given",
          "[service]") {
  struct Broken : ScriptedModel {
    using ScriptedModel::ScriptedModel;
    void reset() { throw Error("cannot be reset"); }
  };
  Broken model(1000, [](auto...) { return std::vector<Token>{1, 2}; });
  Looped looped(model, {.max_running = 1});
  looped.loop.pause(SamplerLoop<Broken>::Pause::keep);
  const Live first = looped.ask(item({1}, 900)), second = looped.ask(item({1}, 900));
  looped.loop.go_on();
  CHECK_THAT(looped.wait(first).end->said, ContainsSubstring("a script ended"));
  CHECK_THAT(looped.wait(second).end->said, ContainsSubstring("cannot be reset"));
  CHECK(!looped.loop.takes());
  CHECK_THROWS_AS(looped.ask(item({1}, 1)), ServiceEnds);
  CHECK(first.use_count() > 1);  // its prompt is the sampler's as well
}

TEST_CASE("a generation that runs on through an update has the labels of both weights",
          "[service]") {
  const TemporaryFolder folder;
  Served served(folder / "served");
  Transformer<float>& model = served.learner;
  Looped looped(model);
  const auto learn = [&](Transformer<float>& to) {
    for (float& weight : to.parameters()) weight += 0.05F;
    to.weights_changed();
  };
  std::atomic<bool> stands = false;
  const std::vector<Live> asked =
      looped.loop.submit({.items = {item({3, 1}, 60)}, .stream = true}, [&] {
        if (stands) return;
        looped.loop.pause(SamplerLoop<Transformer<float>>::Pause::keep);  // after its first tokens
        stands = true;
      });
  wait_for("the pause", [&] { return stands.load(); });
  CHECK(looped.loop.update(learn, "next") == "next");
  CHECK(looped.loop.label() == "next");
  looped.loop.go_on();
  const ServedGeneration done = looped.wait(asked[0]);
  REQUIRE(done.labels.size() == 2);
  CHECK(done.labels[0].label == "default");
  CHECK(done.labels[1].label == "next");
  CHECK(done.labels[0].end == done.labels[1].begin);
  CHECK(done.newest_label == "next");
  CHECK(done.tokens.size() == 60);
  const ServedGeneration later = looped.wait(looped.ask(item({3, 1}, 5)));
  CHECK(later.labels.size() == 1);
  CHECK_THAT(error_of([&] { looped.loop.update([](auto&) { throw Error("broken"); }, "worse"); }),
             ContainsSubstring("broken"));
  CHECK(looped.loop.label() == "next");
}

TEST_CASE("stop waits for what runs and then takes nothing; without time it aborts", "[service]") {
  ScriptedModel model = counting();
  {
    Looped looped(model, {.max_running = 1});
    const Live first = looped.ask(item({1}, 50)), second = looped.ask(item({1}, 50));
    looped.loop.stop(60);
    CHECK(first->look().tokens.size() == 50);
    CHECK(second->look().tokens.size() == 50);
    CHECK_THROWS_AS(looped.ask(item({1}, 1)), ServiceEnds);
    CHECK_THROWS_AS(looped.loop.flush(), ServiceEnds);
  }
  Looped looped(model, {.max_running = 1});
  looped.loop.pause(SamplerLoop<ScriptedModel>::Pause::keep);
  const Live never = looped.ask(item({1}, 900));
  looped.loop.stop(0);
  CHECK(never->has_ended());
}

TEST_CASE("a sampler elsewhere wakes the loop, and its failures are told", "[service]") {
  RemoteModel model(100, [](auto...) { return std::vector<Token>{5, 6}; });
  Looped looped(model);
  const Live first = looped.ask(item({1}, 2)), second = looped.ask(item({2}, 2));
  model.answer();
  CHECK(looped.wait(first).tokens == std::vector<Token>{5, 6});
  model.fail("it is gone");
  const ServedGeneration failed = looped.wait(second);
  CHECK(failed.end->kind == Kind::failed);
  CHECK(failed.end->said == "it is gone");
}

TEST_CASE("a queue without an end takes what comes", "[service]") {
  ScriptedModel model = counting();
  Looped<ScriptedModel> looped(
      model, {.max_running = 1, .max_queued = std::numeric_limits<std::size_t>::max()});
  const Live first = looped.ask(item({1}, 5)), second = looped.ask(item({2}, 5));
  CHECK(looped.wait(first).tokens.size() == 5);
  CHECK(looped.wait(second).tokens.size() == 5);
}

TEST_CASE("a loop refuses texts without special tokens, and requests that nobody hears of",
          "[service]") {
  ScriptedModel model = counting();
  ServiceMetrics metrics;
  CHECK_THAT(error_of([&] {
               SamplerLoop<ScriptedModel> loop(
                   model, {}, {.bytes = [](Token) { return std::string_view("x"); }}, metrics);
             }),
             ContainsSubstring("is_special is empty (ServedText)"));
  Looped<ScriptedModel> looped(model);
  CHECK_THAT(error_of([&] { looped.loop.submit({.items = {item({1}, 5)}}, {}); }),
             ContainsSubstring("on_change is empty"));
  CHECK(looped.loop.queued() == 0);
}
