#pragma once

/// Needs libcurl: link the CMake target dualagent::http. Not part of the umbrella.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "dualagent/core/check.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/json.hpp"
#include "dualagent/core/printable.hpp"
#include "dualagent/core/random.hpp"
#include "dualagent/net/api_key.hpp"
#include "dualagent/net/http_client.hpp"
#include "dualagent/reward/chat_client.hpp"

namespace dualagent {

/// The name under which the limit of a reply is sent. Newer models of OpenAI refuse `max_tokens`,
/// older servers do not know the other.
enum class ReplyLimit : std::uint8_t { max_tokens, max_completion_tokens };

struct OpenAiOptions {
  std::string base_url = "http://127.0.0.1:8000/v1";  ///< without "/chat/completions"
  ReplyLimit reply_limit = ReplyLimit::max_tokens;
  /// Name of the environment variable that holds the key; empty: none is sent.
  std::string api_key_variable = {};
  double connect_timeout_seconds = 5;
  /// Of one attempt: to the first byte of the reply, and to its last.
  double reply_timeout_seconds = 60;
  std::size_t retries = 2;          ///< attempts after the first
  double backoff_seconds = 0.5;     ///< before the first retry; doubles with each
  double max_backoff_seconds = 30;  ///< the longest wait; one that the server asks for, too
  std::size_t max_reply_bytes = std::size_t{4} << 20U;
  std::uint64_t seed = 0;  ///< of the jitter of the waits
};

/// Seconds to wait before a retry: the back-off doubles with each attempt up to its maximum, and
/// `uniform` in [0, 1) takes up to half of it away; at least what the server asked for.
inline double retry_delay_seconds(const OpenAiOptions& options, std::size_t attempt, double uniform,
                                  double server_asked_seconds) {
  const double doubled = options.backoff_seconds * std::exp2(static_cast<double>(attempt));
  const double jittered = std::min(doubled, options.max_backoff_seconds) * (1.0 - 0.5 * uniform);
  return std::max(jittered, server_asked_seconds);
}

/// Asks a server that speaks OpenAI's chat-completions protocol: vLLM, SGLang, llama.cpp, Ollama,
/// OpenAI. A ChatClient, e.g. of a Judge.
///
/// A failed connection, a timeout, HTTP 429 and 5xx and a reply that is not a completion are tried
/// again, each time after a longer wait with a random share, and not before a Retry-After of the
/// server; other failures are not. Redirects are not followed. The reply is bounded in time and
/// size. The key is read once, from the environment, and never shown.
/// A server that answers HTTP 400 because it does not take `max_tokens` is asked once more with
/// `max_completion_tokens`, one that does not take a temperature or a `response_format` once more
/// without, which stderr says once; what it took is kept for later requests to the same model.
/// Thread-safe: every request has a connection of its own.
/// Errors: the constructor throws Error for an address, option or key that cannot be; `complete`
/// throws Error with the address, what happened last and what to do, and for a schema that is not a
/// JSON object.
/// Example: OpenAiClient client{{.base_url = "http://127.0.0.1:8000/v1", .retries = 4}};
class OpenAiClient {
 public:
  explicit OpenAiClient(OpenAiOptions options = {})
      : options_(std::move(options)),
        url_(options_.base_url),
        api_key_(read_api_key(options_.api_key_variable, "OpenAiOptions::api_key_variable")) {
    const auto require_seconds = [](double seconds, const char* name) {
      require_option(seconds, kPositiveSeconds, name, "OpenAiOptions");
    };
    require_seconds(options_.connect_timeout_seconds, "connect_timeout_seconds");
    require_seconds(options_.reply_timeout_seconds, "reply_timeout_seconds");
    require_seconds(options_.backoff_seconds, "backoff_seconds");
    require_seconds(options_.max_backoff_seconds, "max_backoff_seconds");
    require_option(options_.max_reply_bytes, kAtLeastOne, "max_reply_bytes", "OpenAiOptions");
  }

  std::string complete(const ChatRequest& request) const {
    Refused refused = refused_by(request.model);
    for (std::size_t attempt = 0;; ++attempt) {
      Outcome outcome = post(write_request(request, refused));
      while (add_refusal(refused, outcome, request))
        outcome = post(write_request(request, refused));
      if (outcome.text) {
        keep(request.model, refused);
        return std::move(*outcome.text);
      }
      const bool too_long = outcome.retry_after_seconds > options_.max_backoff_seconds;
      if (!outcome.again || attempt == options_.retries || too_long)
        throw Error(outcome.failure, endpoint() + ", attempt " + std::to_string(attempt + 1),
                    outcome.remedy);
      const double uniform = RandomStream::from_seed(options_.seed).uniform(waits_++);
      std::this_thread::sleep_for(std::chrono::duration<double>(
          retry_delay_seconds(options_, attempt, uniform, outcome.retry_after_seconds)));
    }
  }

 private:
  static constexpr std::size_t kShownBytes = 300;  // of a server's error
  static constexpr std::string_view kHiddenKey = "(key)";

  /// The parameters that a server does not take for a model.
  struct Refused {
    bool max_tokens = false;
    bool temperature = false;
    bool reply_form = false;
  };

  /// What came of one attempt: a text, or why not.
  struct Outcome {
    std::optional<std::string> text = {};
    std::string failure = {};
    std::string remedy = {};
    bool again = false;  // another attempt may do better
    Refused refused = {};
    double retry_after_seconds = 0;
  };

  std::string endpoint() const { return url_.server + url_.path + "/chat/completions"; }

  Refused refused_by(const std::string& model) const {
    const std::lock_guard lock(refused_mutex_);
    const auto found = refused_.find(model);
    return found == refused_.end() ? Refused{} : found->second;
  }

  /// After a request that was taken; says once what is no longer sent.
  void keep(const std::string& model, const Refused& refused) const {
    const std::lock_guard lock(refused_mutex_);
    const Refused before = std::exchange(refused_[model], refused);
    if (refused.temperature && !before.temperature)
      say_refused(model, "a temperature", "temperature = std::nullopt");
    if (refused.reply_form && !before.reply_form)
      say_refused(model, "response_format", "reply_form = ReplyForm::free");
  }

  void say_refused(const std::string& model, const char* what, const char* option) const {
    std::fprintf(stderr,
                 "dualagent: '%s' at %s refuses %s and is asked without (said once; "
                 "JudgeOptions::%s sends none)\n",
                 printable(model).c_str(), url_.server.c_str(), what, option);
  }

  /// Notes what the outcome says is refused and the request held; false if there is nothing new.
  bool add_refusal(Refused& known, const Outcome& outcome, const ChatRequest& request) const {
    if (outcome.refused.max_tokens && !known.max_tokens &&
        options_.reply_limit == ReplyLimit::max_tokens)
      return known.max_tokens = true;
    if (outcome.refused.temperature && !known.temperature && request.temperature)
      return known.temperature = true;
    if (outcome.refused.reply_form && !known.reply_form && request.reply_form != ReplyForm::free)
      return known.reply_form = true;
    return false;
  }

  std::string write_request(const ChatRequest& request, const Refused& refused) const {
    nlohmann::json messages = nlohmann::json::array();
    for (const ChatMessage& message : request.messages)
      messages.push_back({{"role", message.role}, {"content", message.text}});
    const bool old_limit = options_.reply_limit == ReplyLimit::max_tokens && !refused.max_tokens;
    const char* const limit = old_limit ? "max_tokens" : "max_completion_tokens";
    nlohmann::json body{
        {"model", request.model}, {"messages", std::move(messages)}, {limit, request.max_tokens}};
    if (request.temperature && !refused.temperature) body["temperature"] = *request.temperature;
    if (request.reply_form != ReplyForm::free && !refused.reply_form)
      body["response_format"] = response_format(request);
    return body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  }

  static nlohmann::json response_format(const ChatRequest& request) {
    if (request.reply_form == ReplyForm::json_object) return {{"type", "json_object"}};
    const nlohmann::json schema =
        parse_json(request.schema, "ChatRequest::schema", "Set it to the JSON schema of the reply");
    if (!schema.is_object())
      throw Error("the schema is not a JSON object", "ChatRequest::schema",
                  "Set it to the JSON schema of the reply");
    return {{"type", "json_schema"},
            {"json_schema", {{"name", "reply"}, {"strict", true}, {"schema", schema}}}};
  }

  Outcome post(const std::string& body) const {
    HttpClient client({.connect_timeout_seconds = options_.connect_timeout_seconds,
                       .max_reply_bytes = options_.max_reply_bytes});
    HttpRequest request{
        .url = endpoint(), .body = body, .timeout_seconds = options_.reply_timeout_seconds};
    request.headers = bearer_header(api_key_);
    const HttpReply reply = client.fetch(request);
    if (reply.failure != HttpFailure::none) return unreached(reply);
    return reply.status == 200 ? read_reply(reply.body) : refused(reply);
  }

  Outcome unreached(const HttpReply& reply) const {
    std::string failure;
    switch (reply.failure) {
      case HttpFailure::no_connection:
        failure = "no connection to the server";
        break;
      case HttpFailure::too_large:
        failure = "the reply is too large";
        break;
      default:
        failure = "the server closed the connection or did not reply in time";
    }
    return {.failure = failure + ": " + printable(reply.reason),
            .remedy = "Check that the server runs there, and the timeouts",
            .again = true};
  }

  Outcome refused(const HttpReply& reply) const {
    const int status = reply.status;
    const bool unclear = status == 400 || status == 422;
    return {.failure =
                "the server replied with HTTP " + std::to_string(status) + ": " + shown(reply.body),
            .remedy = status == 401 || status == 403 ? "Check the key in the environment variable"
                      : status == 404                ? "Check the address and the model's name"
                      : status == 429                ? "Ask less at a time, or wait longer"
                      : status >= 500                ? "Look into the server's log"
                                                     : "Check model, temperature and max_tokens",
            .again = status == 429 || status >= 500,
            .refused = {.max_tokens = unclear && says_unsupported(reply.body, "max_tokens"),
                        .temperature = unclear && says_unsupported(reply.body, "temperature"),
                        .reply_form = unclear && says_unsupported(reply.body, "response_format")},
            .retry_after_seconds = reply.retry_after_seconds};
  }

  Outcome read_reply(const std::string& reply) const {
    std::string remedy = "Check that the server speaks OpenAI's chat-completions protocol";
    try {
      const nlohmann::json json = parse_json(reply, "the server's reply", remedy);
      const nlohmann::json& choice = json.at("choices").at(0);
      const nlohmann::json& content = choice.at("message").at("content");
      if (content.is_null() && choice.value("finish_reason", nlohmann::json()) == "length")
        remedy = "Raise max_tokens: the model reached it before it said anything";
      return {.text = content.get<std::string>()};
    } catch (const std::exception&) {  // no JSON, or a part is missing or of another type
      return {.failure = "the server's reply is not a chat completion: " + shown(reply),
              .remedy = std::move(remedy),
              .again = true};
    }
  }

  /// Whether an error is about a parameter that the server does not take, whatever its value.
  /// Seen: OpenAI's "Unsupported parameter: 'max_tokens' is not supported with this model" and
  /// "'temperature' does not support 0.3 with this model", pydantic's "Extra inputs are not
  /// permitted". A value that is out of range is another error.
  static bool says_unsupported(std::string error, std::string_view parameter) {
    for (char& c : error) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    if (error.find(parameter) == std::string::npos) return false;
    for (const char* word : {"unsupported", "not supported", "not support", "unrecognized",
                             "unknown", "not permitted", "not allowed", "deprecated"})
      if (error.find(word) != std::string::npos) return true;
    return false;
  }

  /// The beginning of what a server said, for an error; without the key, should it repeat it.
  std::string shown(std::string text) const {
    for (std::size_t at = 0; !api_key_.empty(); at += kHiddenKey.size()) {
      at = text.find(api_key_, at);
      if (at == std::string::npos) break;
      text.replace(at, api_key_.size(), kHiddenKey);
    }
    return printable(std::string_view(text).substr(0, kShownBytes));
  }

  OpenAiOptions options_;
  BaseUrl url_;
  std::string api_key_;
  mutable std::atomic<std::uint64_t> waits_{0};
  mutable std::mutex refused_mutex_;
  mutable std::map<std::string, Refused> refused_;  // by model
};
static_assert(ChatClient<OpenAiClient>);

}  // namespace dualagent
