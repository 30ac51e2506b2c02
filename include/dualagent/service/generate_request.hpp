#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dualagent/core/check.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/json.hpp"
#include "dualagent/core/types.hpp"
#include "dualagent/model/backend.hpp"
#include "dualagent/model/config_reader.hpp"

namespace dualagent {

/// What a service continues, and how much of it.
struct GenerateLimits {
  std::size_t vocab_size = 0;          ///< of the model
  std::size_t max_context_tokens = 0;  ///< of the model: prompt and new tokens together
  std::size_t max_prompt_tokens = 0;   ///< of one prompt; 0: what leaves room in the context
  std::size_t max_new_tokens = 0;      ///< of one generation; 0: what fits into the context
  std::size_t max_batch = 256;         ///< prompts in one request
  bool has_text = false;               ///< whether the tokens' text is known: stop strings work
  bool has_scores = false;             ///< whether prompts can be scored

  /// Errors: Error for what leaves nothing to serve.
  void validate() const {
    const std::string owner = "GenerateLimits";
    require_option(vocab_size, kAtLeastOne, "vocab_size", owner);
    require_option(max_context_tokens, {2.0, kAtLeastOne.high, true, false}, "max_context_tokens",
                   owner, "a prompt of one token and one more have to fit");
    require_option(max_batch, kAtLeastOne, "max_batch", owner);
  }
  std::size_t longest_prompt() const {
    const std::size_t room = max_context_tokens - 1;
    return max_prompt_tokens == 0 ? room : std::min(max_prompt_tokens, room);
  }
};

/// One prompt of a request and how it is continued.
struct GenerateItem {
  std::vector<Token> prompt = {};
  std::string rid = {};  ///< the request's name for /abort_request; empty: none was given
  SamplingOptions sampling = {};
  std::size_t max_new_tokens = 128;
  std::vector<Token> stop_tokens = {};         ///< beside the model's own
  std::vector<std::string> stop_strings = {};  ///< in the new tokens' text
  bool ignores_stops = false;                  ///< `ignore_eos`: no token ends it
  bool keeps_stop = false;                     ///< `no_stop_trim`: the text has what ended it
  bool skips_special = true;                   ///< the text leaves special tokens out
  std::optional<std::uint64_t> seed = {};      ///< nothing: the service's own random numbers
  bool log_probs = false;                      ///< of the new tokens
  bool scores_prompt = false;                  ///< log-probabilities of the prompt's tokens, too
};

/// The body of POST /generate.
struct GenerateRequest {
  std::vector<GenerateItem> items = {};  ///< at least one
  bool is_batch = false;                 ///< input_ids is a list of prompts: so is the reply
  bool stream = false;
};

namespace detail {

/// Reads /generate's JSON, whose words and defaults are SGLang's. Source: SGLang 0.5.23,
/// sampling_params.py and what tests/golden/engines recorded.
class GenerateReader {
 public:
  GenerateReader(const nlohmann::json& body, const GenerateLimits& limits)
      : limits_((limits.validate(), limits)),
        body_(body),
        fields_(body, kPlace, "the body", kRemedy, kInstead) {}

  GenerateRequest read() {
    if (fields_.find("text") != nullptr)
      fields_.fail("text", "is given", "Send the prompt as input_ids: nothing is tokenized here");
    GenerateRequest request;
    for (std::vector<Token>& prompt : prompts(request.is_batch))
      request.items.push_back({.prompt = std::move(prompt)});
    request.stream = fields_.boolean("stream", false);
    each(request, "rid", [&](const auto& value, GenerateItem& item, const std::string& key) {
      if (!value.is_string() || value == "") fields_.fail(key, "must be a text that is not empty");
      item.rid = value;
    });
    each(request, "return_logprob", [&](const auto& value, auto& item, const std::string& key) {
      if (!value.is_boolean()) fields_.fail(key, "must be true or false");
      item.log_probs = value;
    });
    each(request, "logprob_start_len", [&](const auto& value, auto& item, const std::string& key) {
      if (value != -1 && value != 0)
        fields_.fail(key, "must be -1 (no log-probabilities of the prompt) or 0 (all of them)");
      item.scores_prompt = value == 0 && item.log_probs;
      if (item.scores_prompt && !limits_.has_scores)
        fields_.fail(key, "is 0, but this server's model cannot score prompts", "Leave it out");
    });
    each(request, "sampling_params", [&](const auto& value, auto& item, const std::string& key) {
      parameters(value, item, key);
    });
    for (GenerateItem& item : request.items)
      if (fields_.find("sampling_params") == nullptr) check_room(item, false, "sampling_params");
    check_rids(request);
    for (const auto& [key, neutral] : neutral_fields()) fields_.require_neutral(key, neutral);
    refuse_unknown(fields_, "");
    return request;
  }

 private:
  static constexpr const char* kPlace = "POST /generate";
  static constexpr const char* kRemedy = "Correct the request; docs/service.md has its fields";
  // Numbers that a float holds as well, neither 0 nor infinite.
  static constexpr double kSmallest = 1e-38, kLargest = 1e38;
  static constexpr const char* kInstead = "Leave it out; docs/service.md has what is served";

  static std::vector<std::pair<std::string, nlohmann::json>> neutral_fields() {
    return {{"top_logprobs_num", 0},         {"return_text_in_logprobs", false},
            {"return_hidden_states", false}, {"return_routed_experts", false},
            {"background", false},           {"no_logs", false}};
  }
  static std::vector<std::pair<std::string, nlohmann::json>> neutral_parameters() {
    return {{"n", 1},
            {"min_new_tokens", 0},
            {"frequency_penalty", 0.0},
            {"presence_penalty", 0.0},
            {"repetition_penalty", 1.0},
            {"logit_bias", nlohmann::json::object()},
            {"stop_regex", nlohmann::json::array()}};
  }

  std::vector<std::vector<Token>> prompts(bool& is_batch) const {
    const nlohmann::json* ids = fields_.find("input_ids");
    if (ids == nullptr) fields_.fail("input_ids", "is missing" + misspelt_key(body_, "input_ids"));
    if (!ids->is_array() || ids->empty())
      fields_.fail("input_ids", "must be a list of token ids, or a list of such lists");
    is_batch = ids->front().is_array();
    if (!is_batch) return {prompt(*ids, "input_ids")};
    if (ids->size() > limits_.max_batch)
      fields_.fail("input_ids", "has " + std::to_string(ids->size()) + " prompts, and at most " +
                                    std::to_string(limits_.max_batch) + " are taken at once");
    std::vector<std::vector<Token>> all;
    for (std::size_t i = 0; i < ids->size(); ++i)
      all.push_back(prompt((*ids)[i], "input_ids[" + std::to_string(i) + "]"));
    return all;
  }

  std::vector<Token> prompt(const nlohmann::json& ids, const std::string& key) const {
    if (!ids.is_array() || ids.empty())
      fields_.fail(key, "must be a list of at least one token id");
    if (ids.size() > limits_.longest_prompt())
      fields_.fail(key, "has " + std::to_string(ids.size()) + " tokens, and a prompt may have " +
                            std::to_string(limits_.longest_prompt()));
    return tokens(ids, key, limits_.vocab_size);
  }

  std::vector<Token> tokens(const nlohmann::json& ids, const std::string& key,
                            std::size_t below) const {
    std::vector<Token> list;
    list.reserve(ids.size());
    for (const nlohmann::json& id : ids) {
      const std::optional<std::uint64_t> token = count_of(id, {.most = below - 1});
      if (!token)
        fields_.fail(
            key + "[" + std::to_string(list.size()) + "]",
            "is " + shown_json(id) + ", not a token id from 0 to " + std::to_string(below - 1));
      list.push_back(static_cast<Token>(*token));
    }
    return list;
  }

  /// A field that has one value for all prompts, or a list with one for each.
  template <class Take>
  void each(GenerateRequest& request, const std::string& key, const Take& take) const {
    const nlohmann::json* value = fields_.find(key);
    if (value == nullptr) return;
    const std::size_t count = request.items.size();
    if (!value->is_array()) {
      for (std::size_t i = 0; i < count; ++i) {
        take(*value, request.items[i], key);
        if (key == "rid" && request.is_batch) request.items[i].rid += "_" + std::to_string(i);
      }
      return;
    }
    if (!request.is_batch || value->size() != count)
      fields_.fail(key, "is a list of " + std::to_string(value->size()) + " for " +
                            std::to_string(count) + (request.is_batch ? " prompts" : " prompt"));
    for (std::size_t i = 0; i < count; ++i)
      take((*value)[i], request.items[i], key + "[" + std::to_string(i) + "]");
  }

  void check_rids(const GenerateRequest& request) const {
    std::set<std::string> rids;
    for (const GenerateItem& item : request.items)
      if (!item.rid.empty() && !rids.insert(item.rid).second)
        fields_.fail("rid", "has '" + printable(item.rid) + "' twice");
  }

  void parameters(const nlohmann::json& object, GenerateItem& item, const std::string& name) const {
    const ConfigReader from(object, kPlace, name, kRemedy, kInstead);
    const auto dotted = [&](const char* key) { return name + "." + key; };
    const auto number = [&](const char* key, double fallback, const Bounds& bounds) {
      const nlohmann::json* value = from.find(key);
      if (value == nullptr) return fallback;
      if (!value->is_number() || !bounds.contains(value->get<double>()))
        from.fail(dotted(key), "must be " + bounds.text());
      return value->get<double>();
    };
    const double temperature = number("temperature", 1.0, {0.0, kLargest});
    item.sampling.temperature = temperature < 1e-6 ? 0.0F : static_cast<float>(temperature);
    item.sampling.top_p = static_cast<float>(number("top_p", 1.0, {kSmallest, 1.0}));
    item.sampling.min_p = static_cast<float>(number("min_p", 0.0, kFraction));
    item.sampling.top_k = top_k(from, dotted("top_k"));
    item.ignores_stops = boolean(from, "ignore_eos", false, name);
    item.keeps_stop = boolean(from, "no_stop_trim", false, name);
    item.skips_special = boolean(from, "skip_special_tokens", true, name);
    boolean(from, "spaces_between_special_tokens", true, name);  // of decoders that join words
    if (const auto* ids = from.find("stop_token_ids")) {
      if (!ids->is_array()) from.fail(dotted("stop_token_ids"), "must be a list of token ids");
      item.stop_tokens = tokens(*ids, dotted("stop_token_ids"), std::size_t{1} << 31U);
    }
    if (const auto* stop = from.find("stop"))
      item.stop_strings = strings(from, *stop, dotted("stop"));
    if (const auto* seed = from.find("sampling_seed"))
      item.seed = from.count(dotted("sampling_seed"), *seed);
    const nlohmann::json* most = from.find("max_new_tokens");
    if (most != nullptr)
      item.max_new_tokens = from.count(dotted("max_new_tokens"), *most, {.least = 1});
    check_room(item, most != nullptr, dotted("max_new_tokens"));
    for (const auto& [key, neutral] : neutral_parameters())
      if (const auto* value = from.find(key); value != nullptr && *value != neutral)
        from.fail(name + "." + key,
                  "= " + printable(value->dump().substr(0, 80)) + " is not supported", kInstead);
    refuse_unknown(from, name + ".");
  }

  /// What was asked for has to fit; what nobody asked for is cut.
  void check_room(GenerateItem& item, bool asked, const std::string& key) const {
    const std::size_t room = limits_.max_context_tokens - item.prompt.size();
    const std::size_t most =
        limits_.max_new_tokens == 0 ? room : std::min(room, limits_.max_new_tokens);
    if (asked && item.max_new_tokens > most)
      fields_.fail(key, "is " + std::to_string(item.max_new_tokens) + ", but after a prompt of " +
                            std::to_string(item.prompt.size()) + " tokens there can be " +
                            std::to_string(most));
    item.max_new_tokens = std::min(item.max_new_tokens, most);
  }

  static bool boolean(const ConfigReader& from, const char* key, bool fallback,
                      const std::string& name) {
    const nlohmann::json* value = from.find(key);
    if (value == nullptr) return fallback;
    if (!value->is_boolean()) from.fail(name + "." + key, "must be true or false");
    return *value;
  }

  static std::size_t top_k(const ConfigReader& from, const std::string& key) {
    const nlohmann::json* value = from.find("top_k");
    if (value == nullptr || *value == -1) return 0;
    const std::optional<std::uint64_t> count = count_of(*value, {.least = 1});
    if (!count) from.fail(key, "must be -1 (all tokens) or a whole number of at least 1");
    return *count;
  }

  std::vector<std::string> strings(const ConfigReader& from, const nlohmann::json& stop,
                                   const std::string& key) const {
    std::vector<std::string> list;
    const nlohmann::json all = stop.is_array() ? stop : nlohmann::json::array({stop});
    for (const nlohmann::json& one : all) {
      if (!one.is_string() || one == "")
        from.fail(key, "must be a text that is not empty, or a list of such texts");
      list.push_back(one);
    }
    if (!list.empty() && !limits_.has_text)
      from.fail(key, "is given, but this server has no tokenizer",
                "Use stop_token_ids, or give the server the model's tokenizer.json");
    return list;
  }

  static void refuse_unknown(const ConfigReader& from, const std::string& prefix) {
    constexpr std::array<std::string_view, 1> kWithoutEffect{"log_metrics"};
    for (const std::string& key : from.unread(kWithoutEffect))
      from.fail(prefix + printable(key), "is not known here, and might change the results",
                "Leave it out; docs/service.md has what is served");
  }

  const GenerateLimits& limits_;
  const nlohmann::json& body_;
  ConfigReader fields_;
};

}  // namespace detail

/// Reads the body of POST /generate.
///
/// Every field is either served, or must have the value that has no effect; unknown ones are
/// refused by name, so that nothing is ignored silently. Defaults are SGLang's: 128 new tokens (or
/// what fits), temperature 1, everything may be drawn. What is asked for and does not fit is
/// refused.
/// Errors: Error that names the field and what it may be; limits that cannot be meant; as
/// `parse_json`.
/// Example: parse_generate_request(R"({"input_ids": [1, 2]})", limits).items[0].prompt.size() == 2
inline GenerateRequest parse_generate_request(std::string_view body, const GenerateLimits& limits) {
  const nlohmann::json json = parse_json(body, "POST /generate", "Send one JSON object");
  return detail::GenerateReader(json, limits).read();
}

}  // namespace dualagent
