#include "dualagent/service/sampler_service.hpp"

#include <algorithm>
#include <atomic>
#include <set>
#include <string>
#include <vector>

#include "dualagent/model/save_model.hpp"
#include "dualagent/model/scripted.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/recorded_engines.hpp"
#include "support/served_sampler.hpp"
#include "support/wait_for.hpp"

using namespace dualagent;
using namespace served_sampler;
using engine_double::Served;
using raw_connection::RawConnection;

namespace {

constexpr std::size_t kEndless = 5'000'000;  // tokens: more than are generated in any test

struct Setting {
  explicit Setting(SamplerServiceOptions options = {}) : service(model, std::move(options)) {}
  TemporaryFolder folder;
  Served served{folder / "served"};
  Transformer<float> model = load_model<float>(folder / "served");
  Service<> service;
};

/// Every key of a recorded reply that this one lacks.
std::vector<std::string> missing_keys(const nlohmann::json& recorded, const nlohmann::json& reply) {
  std::vector<std::string> missing;
  for (const std::string& key : keys_of(recorded))
    if (!reply.contains(key)) missing.push_back(key);
  return missing;
}

}  // namespace

TEST_CASE("a served generation has the bits of the sampler in its own process", "[service]") {
  Setting setting;
  for (std::uint64_t seed = 1; seed < 5; ++seed) {
    const ServedReply answer = setting.service.post("/generate", generation({3, 1, 4}, 12, seed));
    REQUIRE(answer.status == 200);
    const Generation own = in_process(setting.served.learner, {3, 1, 4}, 12, seed);
    CHECK(std::ranges::equal(tokens_of(answer.body), own.sampled.tokens()));
    CHECK(std::ranges::equal(log_probs_of(answer.body), own.sampled.log_probs()));
  }
}

TEST_CASE("replies have the keys that SGLang was recorded to reply with", "[service]") {
  Setting setting;
  const nlohmann::json body = [] {
    nlohmann::json recorded = recorded_engines::record("sglang", "length").at("body");
    recorded["input_ids"] = {5, 3, 2};  // this model's vocabulary
    return recorded;
  }();
  const ServedReply answer = setting.service.post("/generate", body);
  CAPTURE(answer.body.dump());
  REQUIRE(answer.status == 200);
  const nlohmann::json recorded = recorded_engines::reply("sglang", "length");
  CHECK(missing_keys(recorded, answer.body) == std::vector<std::string>{"text"});
  CHECK(missing_keys(recorded.at("meta_info"), answer.body.at("meta_info")) ==
        std::vector<std::string>{"cached_tokens", "cached_tokens_details", "dp_rank",
                                 "num_retractions", "reasoning_tokens",
                                 "response_sent_to_client_ts"});
  const auto info = setting.service.get("/model_info");
  CHECK(info.body == setting.service.get("/get_model_info").body);
  CHECK(info.body.at("weight_version") == "default");
  CHECK(setting.service.get("/server_info").body.at("max_req_input_len") == 64);
  const ServedReply failed = setting.service.post(
      "/update_weights_from_disk", {{"model_path", "/nonexistent"}, {"weight_version", "2"}});
  const nlohmann::json recorded_failure = recorded_engines::record("sglang", "update from nowhere");
  CHECK(failed.status == recorded_failure.at("status"));
  CHECK(missing_keys(recorded_failure.at("reply"), failed.body).empty());
  CHECK_THAT(failed.body.at("message").get<std::string>(), ContainsSubstring("/nonexistent"));
  const ServedReply aborted = setting.service.post("/abort_request", {{"rid", "nobody"}});
  CHECK(aborted.status == 200);
  CHECK(aborted.body == "");
}

TEST_CASE("batches come back in their order, each prompt with its own parameters", "[service]") {
  Setting setting;
  const ServedReply answer =
      setting.service.post("/generate", {{"input_ids", {{1, 2}, {3}, {4, 5, 6}}},
                                         {"rid", {"a", "b", "c"}},
                                         {"return_logprob", {true, false, true}},
                                         {"sampling_params",
                                          {{{"max_new_tokens", 1}, {"sampling_seed", 1}},
                                           {{"max_new_tokens", 2}},
                                           {{"max_new_tokens", 3}, {"temperature", 0}}}}});
  REQUIRE(answer.status == 200);
  REQUIRE(answer.body.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(answer.body[i].at("output_ids").size() == i + 1);
    CHECK(answer.body[i].at("meta_info").at("id") == std::string(1, static_cast<char>('a' + i)));
    CHECK(answer.body[i].at("meta_info").contains("output_token_logprobs") == (i != 1));
    CHECK(answer.body[i].at("meta_info").at("finish_reason") ==
          nlohmann::json({{"type", "length"}, {"length", i + 1}}));
  }
}

TEST_CASE("prompts are scored as the learner scores them", "[service]") {
  Setting setting;
  nlohmann::json body = generation({3, 1, 4, 1}, 1);
  body["logprob_start_len"] = 0;
  const ServedReply answer = setting.service.post("/generate", body);
  REQUIRE(answer.status == 200);
  const auto& rows = answer.body.at("meta_info").at("input_token_logprobs");
  REQUIRE(rows.size() == 4);
  CHECK(rows[0] == nlohmann::json({nullptr, 3, nullptr}));
  const Canary canary{.tokens = {3, 1, 4, 1}, .prompt = 1};
  const auto scores =
      score_canaries(setting.served.learner, std::span<const Canary>(&canary, 1), 1.0F)[0];
  for (std::size_t i = 1; i < 4; ++i) CHECK(rows[i][0].get<double>() == scores[i - 1]);
}

TEST_CASE("a streamed generation has the tokens of one that is not, and every event has all so far",
          "[service]") {
  Setting setting;
  nlohmann::json body = generation({3, 1, 4}, 8);
  const nlohmann::json whole = setting.service.post("/generate", body).body;
  body["stream"] = true;
  const HttpReply reply =
      HttpClient().fetch({.url = setting.service.service.url() + "/generate", .body = body.dump()});
  CHECK(reply.status == 200);
  const std::vector<nlohmann::json> events = events_of(reply.body);
  REQUIRE(events.size() >= 2);
  CHECK(events.back() == "[DONE]");
  const nlohmann::json& last = events[events.size() - 2];
  CHECK(tokens_of(last) == tokens_of(whole));
  CHECK(log_probs_of(last) == log_probs_of(whole));
  std::size_t before = 0;
  for (std::size_t i = 0; i + 1 < events.size(); ++i) {
    const std::vector<Token> so_far = tokens_of(events[i]);
    CHECK(so_far.size() + (i + 2 == events.size() ? 1 : 0) > before);
    CHECK(std::equal(so_far.begin(), so_far.end(), tokens_of(whole).begin()));
    CHECK(events[i].at("meta_info").at("finish_reason").is_null() == (i + 2 < events.size()));
    before = so_far.size();
  }
}

TEST_CASE("new weights are read from a folder, labelled, and answer later requests", "[service]") {
  Setting setting;
  setting.served.learn();
  save_model(setting.folder / "next", setting.served.learner);
  const ServedReply updated = setting.service.post(
      "/update_weights_from_disk",
      {{"model_path", (setting.folder / "next").string()}, {"weight_version", "seven"}});
  CHECK(updated.status == 200);
  CHECK(updated.body.at("success") == true);
  CHECK(updated.body.at("message") ==
        "Succeeded to update model weights. Weight version updated to seven.");
  const nlohmann::json info = setting.service.get("/model_info").body;
  CHECK(info.at("weight_version") == "seven");
  CHECK(info.at("model_path") == (setting.folder / "next").string());
  const ServedReply answer = setting.service.post("/generate", generation({3, 1, 4}, 6));
  const Generation own = in_process(setting.served.learner, {3, 1, 4}, 6);
  CHECK(std::ranges::equal(log_probs_of(answer.body), own.sampled.log_probs()));
  CHECK(answer.body.at("meta_info").at("weight_versions") ==
        nlohmann::json::parse(R"([{"version": "seven", "start": 0, "end": 6}])"));
  // Without a label the number of the version names it.
  setting.service.post("/update_weights_from_disk",
                       {{"model_path", (setting.folder / "served").string()}});
  CHECK(setting.service.get("/model_info").body.at("weight_version") ==
        std::to_string(setting.model.weight_version()));
}

TEST_CASE("weights of another shape, or broken ones, change nothing", "[service]") {
  Setting setting;
  TransformerConfig other = Served::config();
  other.vocab_size = 25;
  save_model(setting.folder / "other", *std::make_unique<Transformer<float>>(other));
  const nlohmann::json before = setting.service.post("/generate", generation({3}, 6)).body;
  for (const char* name : {"other", "nowhere"}) {
    const ServedReply refused = setting.service.post(
        "/update_weights_from_disk", {{"model_path", (setting.folder / name).string()}});
    CHECK(refused.status == 400);
    CHECK(refused.body.at("success") == false);
  }
  const nlohmann::json after = setting.service.post("/generate", generation({3}, 6)).body;
  CHECK(log_probs_of(after) == log_probs_of(before));
  CHECK(after.at("meta_info").at("weight_version") == "default");
}

TEST_CASE("what cannot be served is refused with a sentence that names it", "[service]") {
  Setting setting;
  const auto refusal = [&](const nlohmann::json& body) {
    const ServedReply answer = setting.service.post("/generate", body);
    CHECK(answer.status == 400);
    return answer.error();
  };
  CHECK_THAT(refusal("{"), ContainsSubstring("not valid JSON"));
  CHECK_THAT(refusal("[1]"), ContainsSubstring("the body is not a JSON object"));
  CHECK_THAT(refusal({{"input_ids", {24}}}), ContainsSubstring("input_ids[0] is 24"));
  nlohmann::json unknown = generation({1}, 1);
  unknown["sampling_params"]["temprature"] = 1;
  CHECK_THAT(refusal(unknown), ContainsSubstring("sampling_params.temprature is not known"));
  CHECK(setting.service.post("/abort_request", {{"rid", ""}}).status == 400);
  CHECK(setting.service.post("/pause_generation", {{"mode", "in_place"}}).status == 400);
  CHECK(setting.service.post("/update_weights_from_disk", nlohmann::json::object()).status == 400);
  const ServedReply cut = setting.service.post("/update_weights_from_disk",
                                               {{"model_path", std::string("model\0s", 7)}});
  CHECK(cut.status == 400);
  CHECK_THAT(cut.body.at("message").get<std::string>(), ContainsSubstring("model\\x00s"));
  CHECK(setting.service.post("/nothing", "{}").status == 404);
}

TEST_CASE("requests above the queue are told when to come back", "[service]") {
  Setting setting({.loop = {.max_running = 1, .max_queued = 1}, .retry_after_seconds = 3});
  CHECK(setting.service.post("/pause_generation", {{"mode", "retract"}}).status == 200);
  RawConnection first(setting.service.service.port()), second(setting.service.service.port());
  first.send(Service<>::bytes("/generate", generation({1}, 1)));
  second.send(Service<>::bytes("/generate", generation({2}, 1)));
  wait_for("two in the queue", [&] { return setting.service.service.loop().queued() == 2; });
  const ServedReply full = setting.service.post("/generate", generation({3}, 1));
  CHECK(full.status == 429);
  CHECK(full.retry_after_seconds == 3);
  CHECK_THAT(full.error(), ContainsSubstring("the queue is full"));
  CHECK(setting.service.get("/health_generate").status == 503);
  CHECK(setting.service.post("/continue_generation", "{}").status == 200);
  CHECK_THAT(first.read_until("\"end\":1"), ContainsSubstring("200 OK"));
  CHECK_THAT(second.read_until("\"end\":1"), ContainsSubstring("200 OK"));
  CHECK(setting.service.get("/health_generate").status == 200);
  CHECK(setting.service.post("/flush_cache", "").status == 200);
}

TEST_CASE("metrics are text that Prometheus reads", "[service]") {
  Setting setting;
  setting.service.post("/generate", generation({1, 2}, 3));
  setting.service.post("/generate", "{}");
  const ServedReply answer = setting.service.get("/metrics");
  CHECK(answer.status == 200);
  const auto text = answer.body.get<std::string>();
  CHECK_THAT(text, ContainsSubstring("dualagent_generations_total{reason=\"length\"} 1\n"));
  CHECK_THAT(text, ContainsSubstring("dualagent_prompt_tokens_total 2\n"));
  CHECK_THAT(text, ContainsSubstring("dualagent_generated_tokens_total 3\n"));
  CHECK_THAT(text, ContainsSubstring("dualagent_http_replies_total{status=\"200\"} 1\n"));
  CHECK_THAT(text, ContainsSubstring("dualagent_http_replies_total{status=\"400\"} 1\n"));
}

TEST_CASE("stop answers what runs and refuses what comes", "[service]") {
  Setting setting;
  setting.service.post("/pause_generation", {{"mode", "retract"}});
  RawConnection waiting(setting.service.service.port());
  waiting.send(Service<>::bytes("/generate", generation({1}, 5)));
  wait_for("one in the queue", [&] { return setting.service.service.loop().queued() > 0; });
  setting.service.service.stop();
  CHECK_THAT(waiting.read_all(), ContainsSubstring("200 OK") && ContainsSubstring("\"end\":5"));
}

TEST_CASE("a client that leaves has its generation ended, and nobody waits for it", "[service]") {
  Setting setting({.loop = {.max_running = 1}});
  setting.service.post("/pause_generation", {{"mode", "retract"}});
  {
    RawConnection leaves(setting.service.service.port());
    leaves.send(Service<>::bytes("/generate", generation({1}, 60)));
    wait_for("one in the queue", [&] { return setting.service.service.loop().queued() > 0; });
  }
  // While paused.
  wait_for("an empty queue", [&] { return setting.service.service.loop().queued() == 0; });
  setting.service.post("/continue_generation", "{}");
  CHECK(setting.service.post("/generate", generation({1}, 2)).status == 200);
  CHECK_THAT(setting.service.service.metrics(),
             ContainsSubstring("dualagent_disconnected_clients_total 1\n") &&
                 ContainsSubstring("dualagent_generations_total{reason=\"abort\"} 1\n"));
}

TEST_CASE("a service that has no place for a request is well", "[service]") {
  ScriptedModel model(
      10, [](auto...) { return std::vector<Token>(kEndless, 1); }, kEndless);
  Service<ScriptedModel> served(model, {.loop = {.max_running = 1, .max_queued = 0}});
  RawConnection client(served.service.port());
  client.send(Service<>::bytes("/generate", generation({1}, kEndless - 1)));
  wait_for("one that runs", [&] { return served.service.loop().running() > 0; });
  CHECK(served.post("/generate", generation({1}, 1)).status == 429);
  CHECK(served.get("/health_generate").status == 200);
  CHECK(served.get("/health").status == 200);
}

TEST_CASE("a streamed reply that breaks ends its generation, and the service goes on",
          "[service]") {
  ScriptedModel model(
      10, [](auto...) { return std::vector<Token>(kEndless, 1); }, kEndless);
  const auto broken = [](Token) -> std::string_view { throw std::runtime_error("no text"); };
  Service<ScriptedModel> served(
      model, {.text = {.bytes = broken, .is_special = [](Token) { return false; }}});
  nlohmann::json body = generation({1}, kEndless - 1);
  body["stream"] = true;
  RawConnection client(served.service.port());
  client.send(Service<>::bytes("/generate", body));
  client.read_all();  // the connection is closed
  wait_for("its end", [&] { return served.service.loop().running() == 0; });
  CHECK_THAT(served.service.metrics(),
             ContainsSubstring("dualagent_generations_total{reason=\"abort\"} 1\n"));
  CHECK(served.get("/health_generate").status == 200);
}

TEST_CASE("text is there where the service has a tokenizer, and stop strings end generations",
          "[service]") {
  // Token t is the letter 'a' + t; 23 is special.
  struct Letters {
    std::string names = "abcdefghijklmnopqrstuvwx";
    std::size_t vocab_size() const { return 24; }
    void encode(std::string_view, std::vector<Token>&) const {}
    std::string_view bytes_of(Token token) const {
      return std::string_view(names).substr(static_cast<std::size_t>(token), 1);
    }
    std::optional<Token> special(std::string_view) const { return std::nullopt; }
    bool is_special(Token token) const { return token == 23; }
  };
  Setting setting({.text = ServedText::of(Letters{})});
  nlohmann::json body = generation({3, 1, 4}, 20);
  body["sampling_params"]["skip_special_tokens"] = false;
  const nlohmann::json whole = setting.service.post("/generate", body).body;
  const auto text = whole.at("text").get<std::string>();
  CHECK(text == decode(Letters{}, tokens_of(whole)));
  const std::string stop = text.substr(4, 3);
  body["sampling_params"]["stop"] = {"never", stop};
  const nlohmann::json cut = setting.service.post("/generate", body).body;
  CHECK(cut.at("meta_info").at("finish_reason") ==
        nlohmann::json({{"type", "stop"}, {"matched", stop}}));
  CHECK(cut.at("text") == text.substr(0, text.find(stop)));
  CHECK(cut.at("output_ids").size() == text.find(stop) + 3);
  body["sampling_params"]["no_stop_trim"] = true;
  CHECK(setting.service.post("/generate", body).body.at("text") ==
        text.substr(0, text.find(stop) + 3));
}

TEST_CASE("what a service cannot tell its clients is refused before it is started", "[service]") {
  ScriptedModel model(10, [](auto&&...) { return std::vector<Token>{1}; });
  const auto refused = [&](SamplerServiceOptions options) {
    return error_of([&] { SamplerService<ScriptedModel> service(model, std::move(options), {}); });
  };
  CHECK(refused({}) == "no error");
  CHECK_THAT(refused({.model_path = "caf\xe9"}), ContainsSubstring("is not valid UTF-8"));
  CHECK_THAT(refused({.model_name = "caf\xe9"}), ContainsSubstring("is not valid UTF-8"));
  CHECK_THAT(refused({.retry_after_seconds = 1e10}), ContainsSubstring("retry_after_seconds is"));
  CHECK_THAT(refused({.drain_seconds = 1e10}), ContainsSubstring("drain_seconds is 1e+10"));
}
