#pragma once

#include <functional>
#include <string>
#include <thread>
#include <utility>

#include "dualagent/service/openai_client.hpp"

/// A chat-completions server of this process, and how tests ask it.
namespace http_server {

using namespace dualagent;

using Handler = std::function<void(const httplib::Request&, httplib::Response&)>;

/// What a chat-completions server says.
inline std::string completion(const std::string& text) {
  return nlohmann::json{{"choices", {{{"message", {{"role", "assistant"}, {"content", text}}}}}}}
      .dump();
}

/// A server on the loopback interface, on a port of its own.
class Server {
 public:
  explicit Server(Handler handler) {
    server_.Post("/v1/chat/completions", std::move(handler));
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::yield();
  }
  ~Server() {
    server_.stop();
    thread_.join();
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/v1"; }

 private:
  httplib::Server server_;
  int port_ = 0;
  std::thread thread_;
};

/// Fast enough for a test; 2 retries.
inline OpenAiOptions options(const std::string& url) {
  return {.base_url = url, .backoff_seconds = 1e-3, .max_backoff_seconds = 0.5};
}

inline const ChatRequest kRequest{.model = "m", .messages = {{"user", "hello"}}};

/// The message of the Error that `complete` throws; empty if it replies.
inline std::string failure_of(const OpenAiOptions& options) {
  try {
    OpenAiClient(options).complete(kRequest);
    return {};
  } catch (const Error& error) {
    return error.what();
  }
}

/// The work that a judge is asked about.
inline std::string work_of(const httplib::Request& request) {
  const nlohmann::json body = nlohmann::json::parse(request.body);
  return nlohmann::json::parse(body.at("messages").at(1).at("content").get<std::string>())
      .at("work")
      .get<std::string>();
}

}  // namespace http_server
