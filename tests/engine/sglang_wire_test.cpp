#include "dualagent/engine/sglang_wire.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/recorded_engines.hpp"  // reads DUALAGENT_TEST_DATA

using namespace dualagent;

namespace {

const EngineOptions kOptions{.vocab_size = 49152};

nlohmann::json reply(const std::string& name) { return recorded_engines::reply("sglang", name); }

EngineReply read(const nlohmann::json& json, std::size_t asked = 32) {
  return SglangWire::read(kOptions, {.max_new_tokens = asked}, json);
}
/// Why a reply is refused after a change.
template <class Change>
std::string refusal(const Change& change) {
  nlohmann::json changed = reply("length");
  change(changed);
  return error_of([&] { read(changed); });
}

}  // namespace

TEST_CASE("every parameter is sent to SGLang, as it took them when it was recorded", "[engine]") {
  const nlohmann::json body = SglangWire::write(kOptions, {.tokens = {504, 3575, 282, 4649, 314},
                                                           .temperature = 0.7F,
                                                           .max_new_tokens = 8,
                                                           .stop_tokens = {2},
                                                           .seed = 7});
  nlohmann::json taken = recorded_engines::record("sglang", "length").at("body");
  taken["top_logprobs_num"] = 0;
  for (const auto& [key, value] : taken.items())
    if (key != "sampling_params") CHECK(body.at(key) == value);
  for (const auto& [key, value] : taken["sampling_params"].items())
    if (key != "temperature") CHECK(body["sampling_params"].at(key) == value);
  CHECK(body["sampling_params"].at("temperature") == 0.7F);
  CHECK(body["sampling_params"].size() == taken["sampling_params"].size());
}

TEST_CASE("what SGLang replied is read: tokens, log-probabilities, versions, end", "[engine]") {
  const EngineReply length = read(reply("length"), 8);
  CHECK(length.tokens == std::vector<Token>{260, 3575, 282, 933, 26385, 5820, 77, 284});
  CHECK(length.log_probs.front() == Approx(-3.5960357189178467));
  CHECK(length.log_probs.size() == 8);
  CHECK(length.end == EngineEnd::length);
  REQUIRE(length.labels.size() == 1);
  CHECK(length.labels[0].label == "default");
  CHECK(length.labels[0].end == 8);

  const EngineReply stopped = read(reply("stop token"));
  CHECK(stopped.tokens == std::vector<Token>{7042});  // the stop token is part of it
  CHECK(stopped.end == EngineEnd::stop);
  CHECK(read(reply("stop string")).tokens == std::vector<Token>{7042, 30, 378});
  CHECK(read(reply("aborted")).end == EngineEnd::aborted);

  const EngineReply over = read(reply("over an update"), 96);
  REQUIRE(over.labels.size() == 2);
  CHECK(over.labels[0].label == "default");
  CHECK(over.labels[0].end == 5);
  CHECK(over.labels[1].label == "1");
  CHECK(over.labels[1].end == over.tokens.size());
  CHECK(over.end == EngineEnd::stop);  // at a token that nobody asked it to stop at
}

TEST_CASE("replies of SGLang that lack something are refused, with what and what to do",
          "[engine]") {
  CHECK_THAT(error_of([] { read(reply("no log-probabilities")); }),
             ContainsSubstring("output_token_logprobs"));
  CHECK_THAT(refusal([](auto& r) { r["meta_info"]["output_token_logprobs"].erase(3); }),
             ContainsSubstring("another token"));
  CHECK_THAT(refusal([](auto& r) { r["meta_info"]["output_token_logprobs"].erase(7); }),
             ContainsSubstring("8 tokens and 7 log-probabilities"));
  CHECK_THAT(refusal([](auto& r) { r["output_ids"].erase(7); }),
             ContainsSubstring("7 tokens and 8 log-probabilities"));
  CHECK_THAT(refusal([](auto& r) { r["meta_info"]["output_token_logprobs"][0][0] = nullptr; }),
             ContainsSubstring("this is not a generation of SGLang"));
  CHECK_THAT(refusal([](auto& r) { r["meta_info"]["output_token_logprobs"][0][0] = 0.5; }),
             ContainsSubstring("log-probability 0.5"));
  CHECK_THAT(refusal([](auto& r) { r["meta_info"].erase("weight_versions"); }),
             ContainsSubstring("weight_versions"));
  CHECK_THAT(refusal([](auto& r) { r["meta_info"]["weight_versions"][0]["end"] = 7; }),
             ContainsSubstring("do not cover its 8 tokens"));
  CHECK_THAT(refusal([](auto& r) {
               r["output_ids"][0] = 49152, r["meta_info"]["output_token_logprobs"][0][1] = 49152;
             }),
             ContainsSubstring("the token 49152"));
  CHECK_THAT(refusal([](auto& r) {  // 2^32 more would be the same token to 32 bits
               const auto more = r["output_ids"][0].template get<std::uint64_t>() + (1ULL << 32U);
               r["output_ids"][0] = more;
               r["meta_info"]["output_token_logprobs"][0][1] = more;
             }),
             ContainsSubstring("where a token's id is due"));
  CHECK_THAT(refusal([](auto& r) { r["output_ids"] = 3; }),
             ContainsSubstring("this is not a generation of SGLang"));
  CHECK_THAT(error_of([] { read(reply("length"), 7); }), ContainsSubstring("7 were asked for"));
  CHECK_THAT(error_of([] { read(reply("too long")); }), ContainsSubstring("longer than the model"));
  for (const char* text : {"[]", "3", "{}", "null"})
    CHECK_THAT(error_of([&] { read(nlohmann::json::parse(text)); }),
               ContainsSubstring("this is not a generation of SGLang"));
}
