#include "dualagent/service/generate_reply.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/recorded_engines.hpp"

using namespace dualagent;

namespace {

/// Token 0 is special.
ServedText letters() {
  return {[](Token token) {
            return std::string_view("#abcdefg").substr(static_cast<std::size_t>(token), 1);
          },
          [](Token token) { return token == 0; }};
}

}  // namespace

TEST_CASE("a reply is what SGLang was recorded to say", "[service]") {
  for (const char* name :
       {"length", "stop token", "stop string", "over an update", "aborted", "score"}) {
    CAPTURE(name);
    const nlohmann::json recorded = recorded_engines::reply("sglang", name);
    const nlohmann::json& meta = recorded.at("meta_info");
    GenerateItem item{.prompt = {504, 3575, 282, 4649, 314},
                      .rid = meta.at("id"),
                      .log_probs = true,
                      .scores_prompt = !meta.at("input_token_logprobs").empty()};
    ServedGeneration done{
        .tokens = recorded.at("output_ids").get<std::vector<Token>>(),
        .labels = detail::read_labels(meta.at("weight_versions"), recorded.at("output_ids").size()),
        .newest_label = meta.at("weight_version"),
        .seconds = meta.at("e2e_latency")};
    for (const auto& row : meta.at("output_token_logprobs"))
      done.log_probs.push_back(row[0].get<float>());
    for (const auto& row : meta.at("input_token_logprobs"))
      if (!row[0].is_null()) done.prompt_log_probs.push_back(row[0]);
    const auto& finish = meta.at("finish_reason");
    done.end = finish.at("type") == "length"   ? ServedEnd{ServedEnd::Kind::length, {}}
               : finish.at("type") == "abort"  ? ServedEnd{ServedEnd::Kind::aborted, "Aborted"}
               : finish["matched"].is_string() ? ServedEnd{ServedEnd::Kind::stop_string, "e"}
                                               : ServedEnd{ServedEnd::Kind::stop_token, {}};
    const nlohmann::json reply = generate_reply(item, done, {});
    CHECK(reply.at("output_ids") == recorded.at("output_ids"));
    for (const auto& [key, value] : reply.at("meta_info").items()) {
      CAPTURE(key);
      CHECK(value == meta.at(key));
    }
  }
}

TEST_CASE("a generation that runs has its tokens and no log-probabilities", "[service]") {
  const nlohmann::json reply = generate_reply({.prompt = {1}, .rid = "r", .log_probs = true},
                                              {.tokens = {2, 3}, .newest_label = "w"}, {});
  CHECK(reply.at("output_ids") == nlohmann::json({2, 3}));
  CHECK(reply.at("meta_info").at("finish_reason").is_null());
  CHECK(!reply.at("meta_info").contains("output_token_logprobs"));
  CHECK(!reply.at("meta_info").contains("weight_versions"));
  CHECK(!reply.contains("text"));
}

TEST_CASE("log-probabilities are written with all their bits", "[service]") {
  const float log_prob = -0.1F;
  const nlohmann::json reply = generate_reply(
      {.prompt = {1}, .log_probs = true},
      {.tokens = {2}, .log_probs = {log_prob}, .labels = {{"w", 0, 1}}, .end = ServedEnd{}}, {});
  const nlohmann::json read = nlohmann::json::parse(reply.dump());
  CHECK(read.at("meta_info").at("output_token_logprobs")[0][0].get<float>() == log_prob);
}

TEST_CASE("text is shown with or without special tokens and what ended it", "[service]") {
  const auto text = [](std::vector<Token> tokens, ServedEnd end, bool keeps, bool skips) {
    return detail::served_text(letters(), {.keeps_stop = keeps, .skips_special = skips},
                               {.tokens = std::move(tokens), .end = end});
  };
  const ServedEnd token{ServedEnd::Kind::stop_token, {}},
      string{ServedEnd::Kind::stop_string, "bc"}, length{};
  CHECK(text({1, 0, 2}, length, false, true) == "ab");
  CHECK(text({1, 0, 2}, length, false, false) == "a#b");
  CHECK(text({1, 2, 3}, token, false, true) == "ab");
  CHECK(text({1, 2, 3}, token, true, true) == "abc");
  CHECK(text({1, 2, 3}, string, false, true) == "a");
  CHECK(text({1, 2, 3}, string, true, true) == "abc");
  const ServedText halves{[](Token) { return std::string_view("\xC3"); },
                          [](Token) { return false; }};
  CHECK(detail::served_text(halves, {}, {.tokens = {1}}) == "\xEF\xBF\xBD");
}
