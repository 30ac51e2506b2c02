#pragma once

#include <arpa/inet.h>
#include <httplib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <stdexcept>
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

/// A server on the loopback interface, on a port of its own or on the given one, with a thread for
/// each of `threads` requests at a time.
class Server {
 public:
  /// `paths`: a regular expression; POST and GET of these go to the handler.
  explicit Server(Handler handler, const std::string& paths = "/v1/chat/completions",
                  std::size_t threads = 8, int port = 0) {
    server_.new_task_queue = [threads] { return new httplib::ThreadPool(threads); };
    server_.Get(paths, handler);
    server_.Post(paths, std::move(handler));
    port_ = port == 0 ? server_.bind_to_any_port("127.0.0.1") : port;
    if (port != 0 && !server_.bind_to_port("127.0.0.1", port))
      throw std::runtime_error("the port is taken");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(2);
    while (!server_.is_running()) {  // without Catch2, which a crash campaign does not link
      if (std::chrono::steady_clock::now() >= end)
        throw std::runtime_error("two minutes have passed without the server's start");
      std::this_thread::yield();
    }
  }
  ~Server() {
    server_.stop();
    thread_.join();
  }
  int port() const { return port_; }
  std::string root() const { return "http://127.0.0.1:" + std::to_string(port_); }
  std::string url() const { return root() + "/v1"; }

 private:
  httplib::Server server_;
  int port_ = 0;
  std::thread thread_;
};

/// A port on which nobody listens, for as long as this lives, unless the test does.
class ClosedPort {
 public:
  ClosedPort() : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    if (bind(socket_, any, size) != 0 || getsockname(socket_, any, &size) != 0)
      throw std::runtime_error("no free port");
    port_ = ntohs(address.sin_port);
  }
  ClosedPort(const ClosedPort&) = delete;
  ClosedPort& operator=(const ClosedPort&) = delete;
  ~ClosedPort() { close(socket_); }
  int socket_number() const { return socket_; }
  std::string root() const { return "http://127.0.0.1:" + std::to_string(port_); }
  std::string url() const { return root() + "/v1"; }

 private:
  int socket_;
  int port_ = 0;
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
