#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "dualagent/net/http_client.hpp"
#include "dualagent/service/sampler_service.hpp"
#include "support/engine_double.hpp"
#include "support/raw_connection.hpp"
#include "support/temporary_folder.hpp"
#include "support/wait_for.hpp"

/// A small transformer behind HTTP on the loopback interface, and how tests ask it.
namespace served_sampler {

using namespace dualagent;

/// A reply. A body that is not JSON is a JSON string here.
struct ServedReply {
  int status = 0;
  double retry_after_seconds = 0;
  nlohmann::json body;
  std::string error() const {
    const auto found = body.find("error");
    return found == body.end() ? "no error" : found->at("message").get<std::string>();
  }
};

inline ServedReply ask(const std::string& url, const std::string& path, const std::string& body,
                       HttpMethod method = HttpMethod::post,
                       std::vector<std::string> headers = {}) {
  HttpClient client;
  const HttpReply reply = client.fetch(
      {.url = url + path, .method = method, .body = body, .headers = std::move(headers)});
  nlohmann::json json = nlohmann::json::parse(reply.body, nullptr, false);
  if (json.is_discarded()) json = reply.body;
  return {reply.status, reply.retry_after_seconds, std::move(json)};
}

template <class M = Transformer<float>>
class Service {
 public:
  explicit Service(M& model, SamplerServiceOptions options = {})
      : service(model, std::move(options)) {
    service.start();
  }
  ServedReply post(const std::string& path, const nlohmann::json& body) const {
    return ask(service.url(), path, body.is_string() ? body.get<std::string>() : body.dump());
  }
  ServedReply get(const std::string& path) const {
    return ask(service.url(), path, "", HttpMethod::get);
  }
  /// The bytes of a POST, for connections that are read byte by byte.
  static std::string bytes(const std::string& path, const nlohmann::json& body) {
    const std::string text = body.dump();
    return "POST " + path + " HTTP/1.1\r\nContent-Length: " + std::to_string(text.size()) +
           "\r\n\r\n" + text;
  }
  SamplerService<M> service;
};

/// The body of a generation after these tokens.
inline nlohmann::json generation(const std::vector<Token>& prompt, std::size_t new_tokens,
                                 std::uint64_t seed = 7) {
  return {{"input_ids", prompt},
          {"return_logprob", true},
          {"sampling_params",
           {{"max_new_tokens", new_tokens}, {"temperature", 0.8}, {"sampling_seed", seed}}}};
}

/// What the model itself samples for that body.
inline Generation in_process(Transformer<float>& model, const std::vector<Token>& prompt,
                             std::size_t new_tokens, std::uint64_t seed = 7) {
  const StopRule stop{.max_new_tokens = new_tokens};
  std::optional<Generation> done;
  model.submit({.context = prompt,
                .sampling = {.temperature = 0.8F},
                .stop = &stop,
                .random = RandomStream::from_seed(seed)});
  wait_for("a generation", [&] {
    model.advance([&](Generation&& one) { done = std::move(one); });
    return done.has_value();
  });
  model.release(0);
  return std::move(*done);
}

inline std::vector<Token> tokens_of(const nlohmann::json& reply) {
  return reply.at("output_ids").get<std::vector<Token>>();
}
inline std::vector<float> log_probs_of(const nlohmann::json& reply) {
  std::vector<float> log_probs;
  for (const nlohmann::json& row : reply.at("meta_info").at("output_token_logprobs"))
    log_probs.push_back(row.at(0).get<float>());
  return log_probs;
}

/// The events of a streamed reply.
inline std::vector<nlohmann::json> events_of(const std::string& text) {
  std::vector<nlohmann::json> events;
  for (std::size_t at = text.find("data: "); at != std::string::npos;
       at = text.find("data: ", at + 1)) {
    const std::string event = text.substr(at + 6, text.find("\n\n", at) - at - 6);
    events.push_back(event == "[DONE]" ? nlohmann::json(event) : nlohmann::json::parse(event));
  }
  return events;
}

}  // namespace served_sampler
