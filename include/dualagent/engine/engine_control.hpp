#pragma once

/// Needs libcurl, as net/http_client.hpp.

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "dualagent/core/error.hpp"
#include "dualagent/core/json.hpp"
#include "dualagent/core/printable.hpp"
#include "dualagent/engine/engine_options.hpp"
#include "dualagent/net/api_key.hpp"
#include "dualagent/net/http_client.hpp"

namespace dualagent {

/// The engine does not answer, or its connection broke: it may have crashed, and come back.
struct EngineGone : Error {
  using Error::Error;
};

/// Asks an engine for what is not a generation, one question at a time, each waited for.
///
/// Errors: EngineGone where there is no reply; Error with the engine's words for a status other
/// than 200, and for a reply that is no JSON.
class EngineControl {
 public:
  EngineControl(const EngineOptions& options, std::string engine)
      : server_(BaseUrl(options.url).server),
        engine_(std::move(engine)),
        timeout_seconds_(options.reply_timeout_seconds),
        headers_(bearer_header(
            read_api_key(options.api_key_variable, "EngineOptions::api_key_variable"))),
        client_({.connect_timeout_seconds = options.connect_timeout_seconds}) {
    if (!BaseUrl(options.url).path.empty())
      throw Error("the engine's address has a path", "'" + printable(options.url) + "'",
                  "Write e.g. http://127.0.0.1:8000; /v1 does not belong to it");
  }

  const std::string& engine() const { return engine_; }
  std::string place(const std::string& path) const { return engine_ + " at " + server_ + path; }

  nlohmann::json get(const std::string& path) {
    return json_of(path, ask(HttpMethod::get, path, {}, timeout_seconds_));
  }
  nlohmann::json post(const std::string& path, const nlohmann::json& body) {
    return json_of(path, ask(HttpMethod::post, path, body.dump(), timeout_seconds_));
  }
  /// As `post`, of a reply that says nothing.
  void tell(const std::string& path, const nlohmann::json& body) {
    static_cast<void>(checked(path, ask(HttpMethod::post, path, body.dump(), timeout_seconds_)));
  }

  /// Whether a GET of the path is answered with HTTP 200 within a few seconds.
  bool answers(const std::string& path) {
    const HttpReply reply = ask(HttpMethod::get, path, {}, 10);
    return reply.ok();
  }

 private:
  static constexpr std::size_t kShownBytes = 300;

  HttpReply ask(HttpMethod method, const std::string& path, std::string body, double timeout) {
    return client_.fetch({.url = server_ + path,
                          .method = method,
                          .body = std::move(body),
                          .headers = headers_,
                          .timeout_seconds = timeout});
  }

  HttpReply checked(const std::string& path, HttpReply reply) const {
    if (reply.failure != HttpFailure::none)
      throw EngineGone(engine_ + " does not answer: " + printable(reply.reason), place(path),
                       "Check that it runs there, and look into its log");
    if (reply.status != 200)
      throw Error(engine_ + " replied with HTTP " + std::to_string(reply.status) + ": " +
                      printable(reply.body.substr(0, kShownBytes)),
                  place(path),
                  reply.status == 404
                      ? "Start it with the options that docs/engines.md names, which open this path"
                      : "Look into its log");
    return reply;
  }

  nlohmann::json json_of(const std::string& path, HttpReply reply) const {
    return parse_json(checked(path, std::move(reply)).body, place(path),
                      "Check that it is " + engine_ + " that answers there");
  }

  std::string server_;
  std::string engine_;
  double timeout_seconds_;
  std::vector<std::string> headers_;
  HttpClient client_;
};

}  // namespace dualagent
