#include "dualagent/engine/vllm_wire.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/recorded_engines.hpp"  // reads DUALAGENT_TEST_DATA

using namespace dualagent;

namespace {

const EngineOptions kOptions{.model = "smollm2", .vocab_size = 49152};

nlohmann::json reply(const std::string& name) { return recorded_engines::reply("vllm", name); }

EngineReply read(const nlohmann::json& json, std::size_t asked = 32) {
  return VllmWire::read(kOptions, {.max_new_tokens = asked}, json);
}
/// Why a reply is refused after a change.
template <class Change>
std::string refusal(const Change& change) {
  nlohmann::json changed = reply("length");
  change(changed);
  return error_of([&] { read(changed); });
}

}  // namespace

TEST_CASE("every parameter is sent to vLLM, as it took them when it was recorded", "[engine]") {
  const nlohmann::json body = VllmWire::write(kOptions, {.tokens = {504, 3575, 282, 4649, 314},
                                                         .temperature = 0.7F,
                                                         .max_new_tokens = 8,
                                                         .stop_tokens = {2},
                                                         .seed = 7});
  nlohmann::json taken = recorded_engines::record("vllm", "length").at("body");
  for (const auto& [key, value] : taken.items())
    if (key != "sampling_params") CHECK(body.at(key) == value);
  for (const auto& [key, value] : taken["sampling_params"].items())
    if (key != "temperature") CHECK(body["sampling_params"].at(key) == value);
  CHECK(body["sampling_params"].at("temperature") == 0.7F);
  CHECK(body["sampling_params"].size() == taken["sampling_params"].size());
}

TEST_CASE("what vLLM replied is read: tokens, log-probabilities, versions, end", "[engine]") {
  const EngineReply length = read(reply("length"), 8);
  CHECK(length.tokens.size() == 8);
  CHECK(length.log_probs.size() == 8);
  CHECK(length.end == EngineEnd::length);
  REQUIRE(length.labels.size() == 1);
  CHECK(length.labels[0].label == "default");
  CHECK(length.labels[0].end == 8);

  const EngineReply stopped = read(reply("stop token"));
  CHECK(stopped.tokens == std::vector<Token>{7042});  // the stop token is part of it
  CHECK(stopped.log_probs.front() == Approx(-0.046353694051504135));
  CHECK(stopped.end == EngineEnd::stop);
  CHECK(read(reply("stop string")).tokens == std::vector<Token>{7042, 30, 198, 26, 378});
  CHECK(read(reply("aborted")).end == EngineEnd::aborted);

  const EngineReply over = read(reply("over an update"), 96);
  REQUIRE(over.labels.size() == 2);
  CHECK(over.labels[0].label == "default");
  CHECK(over.labels[0].end == 3);
  CHECK(over.labels[1].label == "1");
  CHECK(over.labels[1].end == 96);
}

TEST_CASE("replies of vLLM that lack something are refused, with what and what to do", "[engine]") {
  const auto choice = [](nlohmann::json& r) -> nlohmann::json& { return r["choices"][0]; };
  CHECK_THAT(error_of([] { read(reply("no log-probabilities")); }),
             ContainsSubstring("this is not a generation of vLLM"));
  CHECK_THAT(refusal([&](auto& r) { choice(r)["logprobs"]["content"].erase(3); }),
             ContainsSubstring("another token"));
  CHECK_THAT(refusal([&](auto& r) { choice(r)["logprobs"]["content"].erase(7); }),
             ContainsSubstring("8 tokens and 7 log-probabilities"));
  CHECK_THAT(refusal([&](auto& r) { choice(r)["token_ids"].erase(7); }),
             ContainsSubstring("7 tokens and 8 log-probabilities"));
  CHECK_THAT(refusal([&](auto& r) { choice(r)["logprobs"]["content"][0]["logprob"] = nullptr; }),
             ContainsSubstring("this is not a generation of vLLM"));
  CHECK_THAT(refusal([&](auto& r) { choice(r)["logprobs"]["content"][0]["logprob"] = 0.5; }),
             ContainsSubstring("log-probability 0.5"));
  CHECK_THAT(refusal([&](auto& r) { choice(r)["weight_versions"] = nullptr; }),
             ContainsSubstring("do not cover its 8 tokens"));
  CHECK_THAT(refusal([&](auto& r) { choice(r)["weight_versions"][0]["end"] = 7; }),
             ContainsSubstring("do not cover its 8 tokens"));
  CHECK_THAT(refusal([](auto& r) { r["model"] = "another"; }),
             ContainsSubstring("of the model 'another', not of 'smollm2'"));
  CHECK_THAT(refusal([&](auto& r) { r["choices"].push_back(choice(r)); }),
             ContainsSubstring("2 choices"));
  CHECK_THAT(error_of([] { read(reply("length"), 7); }), ContainsSubstring("7 were asked for"));
  CHECK_THAT(error_of([] { read(reply("another model")); }), ContainsSubstring("does not exist"));
  for (const char* text : {"[]", "3", "{}", "null"})
    CHECK_THAT(error_of([&] { read(nlohmann::json::parse(text)); }),
               ContainsSubstring("this is not a generation of vLLM"));
}
