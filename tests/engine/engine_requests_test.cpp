#include "dualagent/engine/engine_requests.hpp"

#include <atomic>
#include <map>
#include <string>
#include <vector>

#include "dualagent/engine/sglang_wire.hpp"
#include "dualagent/rollout/completion_queue.hpp"
#include "support/catch.hpp"
#include "support/http_server.hpp"
#include "support/recorded_engines.hpp"  // reads DUALAGENT_TEST_DATA

using namespace dualagent;
using http_server::Server;

namespace {

EngineWords words() {
  return {.path = "/generate",
          .write = SglangWire::write,
          .read = SglangWire::read,
          .served_label = "default",
          .max_context_tokens = 64};
}

/// One request for the eight tokens of the recorded reply, and what became of it.
Generation generation(EngineRequests& requests, std::size_t new_tokens = 8) {
  const std::vector<Token> context{504, 3575, 282, 4649, 314};
  const StopRule stop{.max_new_tokens = new_tokens};
  const auto queue = std::make_shared<CompletionQueue<int>>();  // `on_ready` may be called late
  requests.submit({.sequence = 1,
                   .context = context,
                   .sampling = {},
                   .stop = &stop,
                   .random = {},
                   .on_ready = [queue] { queue->wake(); }});
  std::vector<int> none;
  while (true) {
    queue->take(none, CompletionQueue<int>::Wait::for_one);
    std::vector<Generation> done = requests.take_finished();
    if (!done.empty()) return std::move(done.at(0));
  }
}

EngineOptions options(const Server& server) {
  return {.url = server.root(), .vocab_size = 49152, .retries = 2, .backoff_seconds = 1e-3};
}

}  // namespace

TEST_CASE("a recorded reply becomes a generation", "[engine]") {
  Server server(
      [](const httplib::Request&, httplib::Response& response) {
        response.set_content(recorded_engines::reply("sglang", "length").dump(),
                             "application/json");
      },
      "/generate");
  const EngineOptions asked = options(server);
  EngineRequests requests(asked, words(), [](const auto&) {});
  const Generation done = generation(requests);
  CHECK(done.finish == FinishReason::length);
  CHECK(std::ranges::equal(done.sampled.tokens(),
                           std::vector<Token>{260, 3575, 282, 933, 26385, 5820, 77, 284}));
  CHECK(done.sampled.log_probs()[0] == Approx(-3.5960357189178467));
  CHECK(requests.counts().sent == 1);
}

TEST_CASE("a reply that is cut, no JSON or not what was asked for fails its generation",
          "[engine]") {
  std::string text;
  Server server(
      [&](const httplib::Request&, httplib::Response& response) {
        response.set_content(text, "application/json");
      },
      "/generate");
  const EngineOptions asked = options(server);
  EngineRequests requests(asked, words(), [](const auto&) {});
  const std::string whole = recorded_engines::reply("sglang", "length").dump();
  for (const std::string& reply :
       {whole.substr(0, whole.size() / 2), std::string(), std::string("<html>busy</html>"),
        recorded_engines::reply("sglang", "no log-probabilities").dump()}) {
    CAPTURE(reply.substr(0, 60));
    text = reply;
    const Generation done = generation(requests);
    CHECK(done.finish == FinishReason::failed);
    CHECK(done.sampled.tokens().empty());
    CHECK(!done.failure.empty());
  }
  CHECK(requests.counts().refused == 4);
  CHECK(requests.counts().again == 0);
  text = whole;
  CHECK(generation(requests, 4).finish == FinishReason::failed);  // twice as many as asked for
  CHECK(generation(requests).finish == FinishReason::length);
}

TEST_CASE("weights that nobody published are looked after, then the request is sent again",
          "[engine]") {
  std::string label = "another";
  Server server(
      [&](const httplib::Request&, httplib::Response& response) {
        nlohmann::json reply = recorded_engines::reply("sglang", "length");
        reply["meta_info"]["weight_versions"][0]["version"] = label;
        response.set_content(reply.dump(), "application/json");
      },
      "/generate");
  const EngineOptions asked = options(server);
  EngineRequests requests(asked, words(), [&](const auto&) { label = "default"; });
  CHECK(generation(requests).finish == FinishReason::length);
  CHECK(requests.counts().recovered == 1);
  CHECK(requests.counts().refused == 1);

  EngineRequests hopeless(asked, words(), [&](const auto&) { label = "another"; });
  label = "another";
  const Generation done = generation(hopeless);
  CHECK(done.finish == FinishReason::failed);
  CHECK_THAT(done.failure, ContainsSubstring("'another'"));
}

TEST_CASE("a reply that is late is asked for again, then given up", "[engine]") {
  std::atomic<bool> leaving = false;
  Server server(
      [&](const httplib::Request&, httplib::Response& response) {
        response.set_chunked_content_provider(
            "text/plain",
            [&](std::size_t, httplib::DataSink& sink) { return !leaving && sink.write(" ", 1); });
      },
      "/generate");
  EngineOptions impatient = options(server);
  impatient.reply_timeout_seconds = 0.05;
  EngineRequests requests(impatient, words(), [](const auto&) {});
  const Generation done = generation(requests);
  leaving = true;
  CHECK(done.finish == FinishReason::failed);
  CHECK_THAT(done.failure, ContainsSubstring("did not reply in time"));
  CHECK(requests.counts().sent == 3);
}
