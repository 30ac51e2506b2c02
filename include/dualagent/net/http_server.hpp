#pragma once

/// Needs cpp-httplib, as net/http_connection.hpp.

#include <httplib.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "dualagent/core/check.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/net/connection_threads.hpp"
#include "dualagent/net/http_call.hpp"
#include "dualagent/net/http_connection.hpp"

namespace dualagent {

/// How a server listens, and what it takes.
struct HttpServerOptions {
  std::string host = "127.0.0.1";  ///< IPv4 address of the interface; 0.0.0.0: all of them
  int port = 0;                    ///< 0: any that is free, see HttpServer::port
  /// What clients have to say, as the header "Authorization: Bearer TOKEN"; without it nothing is
  /// answered but 401. Empty: nobody has to say anything; only for 127.0.0.1.
  std::string token = {};
  std::size_t max_connections = 256;                   ///< a thread each; one more is answered 503
  std::size_t max_body_bytes = std::size_t{4} << 20U;  ///< of a request; more is answered 413
  HttpPatience patience = {};

  void validate() const {
    const std::string owner = "HttpServerOptions";
    require_option(port, {0, 65535}, "port", owner);
    require_option(max_connections, kThreads, "max_connections", owner);
    require_option(max_body_bytes, kAtLeastOne, "max_body_bytes", owner);
    require_option(patience.idle_seconds, kPositiveSeconds, "patience.idle_seconds", owner);
    require_option(patience.read_seconds, kPositiveSeconds, "patience.read_seconds", owner);
    require_option(patience.write_seconds, kPositiveSeconds, "patience.write_seconds", owner);
    require_option(patience.max_header_bytes, {256, 1 << 20}, "patience.max_header_bytes", owner);
    require_no_nul(host, "host", owner);
    if (host.empty())
      throw Error("host is empty", owner, "Give an interface's IPv4 address, or 0.0.0.0 for all");
    if (token.empty() && host != "127.0.0.1")
      throw Error("a server that others can reach has no token", owner + "::host = '" + host + "'",
                  "Set a token, or listen on 127.0.0.1");
    for (const char c : token)
      if (c <= ' ' || c > '~' || c == '%')  // cpp-httplib reads %41 of a header as A
        throw Error("the token has a space, a line break, a % or a character that is not ASCII",
                    owner, "Use letters and digits, e.g. of: openssl rand -hex 32");
  }
};

namespace detail {

/// cpp-httplib's server, which reads requests and writes replies, over connections of our own.
class HttpListener final : public httplib::Server {
 public:
  HttpListener(const HttpPatience& patience, const EventFlag& stopping)
      : patience_(patience), stopping_(stopping) {}
  HttpListener(const HttpListener&) = delete;
  HttpListener& operator=(const HttpListener&) = delete;
  ~HttpListener() override {
    for (const int socket : kept_) ::close(socket);
  }

  /// Of the request that this thread answers.
  static HttpConnection& connection() { return *connection_; }
  /// The connection is not used again after this request: not all of it was read.
  static void close_after() { close_after_ = true; }
  std::size_t connections() const { return connections_; }
  std::size_t refused() const { return refused_; }
  /// How many connections may wait to be accepted, once the port is bound: cpp-httplib's 5 are
  /// fewer than a burst of clients, and one that finds no place may wait for minutes.
  void let_wait(std::size_t connections) {
    ::listen(svr_sock_, static_cast<int>(std::min<std::size_t>(connections, 4096)));
  }

 private:
  bool process_and_close_socket(socket_t socket) override {
    HttpConnection connection(socket, patience_, stopping_);
    if (ConnectionThreads::refused()) return refuse(connection);
    ++connections_;
    connection_ = &connection;
    close_after_ = false;
    bool closed = false;
    while (!closed && !close_after_ && connection.await_request() && answer(connection, closed))
      continue;
    if (close_after_ || closed || stopping_.raised()) connection.close_gently();
    connection_ = nullptr;
    --connections_;
    return true;
  }

  bool answer(HttpConnection& connection, bool& closed) {
    return process(*this, connection, closed);
  }
  /// A template for the sake of `requires`: versions of cpp-httplib differ.
  template <class Self>
  static bool process(Self& self, HttpConnection& connection, bool& closed) {
    const auto forget_ranges = [](httplib::Request& request) { request.ranges.clear(); };
    if constexpr (requires { self.process_request(connection, false, closed, forget_ranges); })
      return self.process_request(connection, false, closed, forget_ranges);
    else
      return self.process_request(connection, "", 0, "", 0, false, closed, forget_ranges);
  }

  bool refuse(HttpConnection& connection) {
    ++refused_;
    constexpr std::string_view kBusy =
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\n"
        "Content-Length: 0\r\n\r\n";
    static_cast<void>(
        ::send(connection.socket(), kBusy.data(), kBusy.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
    ::shutdown(connection.socket(), SHUT_WR);
    if (const int kept = ::dup(connection.socket()); kept >= 0) kept_.push_back(kept);
    if (kept_.size() > kMostKept) {
      ::close(kept_.front());
      kept_.pop_front();
    }
    return true;
  }

  inline static thread_local HttpConnection* connection_ = nullptr;
  inline static thread_local bool close_after_ = false;
  const HttpPatience& patience_;
  static constexpr std::size_t kMostKept = 64;
  const EventFlag& stopping_;
  std::atomic<std::size_t> connections_ = 0, refused_ = 0;
  /// The last connections that were refused, of the thread that accepts: one that is closed with
  /// its request unread is reset, and its client could not read the reply.
  std::deque<int> kept_;
};

}  // namespace detail

/// A small HTTP/1.1 server on cpp-httplib, for machines that trust each other's networks: no TLS.
///
/// What the client has to be is checked first: without the token every request, also a malformed
/// one, is answered 401 and its body is not read. Then path and method (404, 405), the length of
/// the body before any of it is read (411 without one, 413), its encoding (415). Only then the
/// handler is called, on the connection's own thread; what it throws becomes a reply: an
/// HttpRefusal its status, anything else 500.
/// Slow clients are bounded by HttpPatience, and each holds one thread and 16 KiB.
///
/// `stop` takes no new connections and no new requests, waits for the handlers that run, and
/// returns once all connections are closed; a handler that waits has to be ended by its owner
/// first.
/// Errors: `start` throws Error where the port cannot be had, and a second time.
/// Example: HttpServer server({.token = "secret"});
///          server.on("GET", "/health", [](HttpCall& call) { call.reply(200, ""); });
///          server.start(); ... server.stop();
class HttpServer {
 public:
  using Handler = std::function<void(HttpCall&)>;

  explicit HttpServer(HttpServerOptions options = {})
      : options_((options.validate(), std::move(options))),
        listener_(options_.patience, stopping_) {
    listener_.new_task_queue = [this] { return new ConnectionThreads(options_.max_connections); };
    listener_.set_socket_options([](socket_t socket) {  // without sharing the port with others
      const int yes = 1;
      ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    });
    listener_.set_pre_routing_handler([this](const auto& request, auto& response) {
      answer(request, response);
      return httplib::Server::HandlerResponse::Handled;
    });
    listener_.set_expect_100_continue_handler([this](const auto& request, auto& response) {
      return refused_at_once(request, response) ? response.status : 100;
    });
    listener_.set_error_handler(httplib::Server::Handler([this](const auto& request, auto& reply) {
      if (detail::HttpListener::connection().in_header()) close(reply);  // malformed
      if (allowed(request)) return;
      reply.headers.erase("Allow");
      refuse(reply, unauthorized());
    }));
    listener_.set_post_routing_handler([this](const auto&, auto& response) {
      if (response.has_header("Connection")) response.headers.erase("Keep-Alive");
      if (count_) count_(response.status);
    });
  }
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  ~HttpServer() { stop(); }

  /// Requests of this method and exactly this path go to the handler; before `start`.
  /// Errors: Error for an empty handler.
  void on(const std::string& method, const std::string& path, Handler handler) {
    require_function(handler, "the handler of " + method + " " + path, "HttpServer::on");
    handlers_[path][method] = std::move(handler);
  }

  /// `count(status)` is called for each reply, before any of it is sent, from any thread; before
  /// `start`.
  void on_reply(std::function<void(int)> count) { count_ = std::move(count); }

  /// Once: what was stopped does not listen again.
  void start() {
    if (std::exchange(started_, true))
      throw Error("the server was started before", options_.host, "Make another one");
    const bool any = options_.port == 0;
    port_ = any ? listener_.bind_to_any_port(options_.host) : options_.port;
    if (any ? port_ <= 0 : !listener_.bind_to_port(options_.host, port_))
      throw Error("cannot listen on port " + std::to_string(options_.port), options_.host,
                  "Choose another port, or 0 for any that is free");
    listener_.let_wait(2 * options_.max_connections);
    thread_ = std::thread([this] { listener_.listen_after_bind(); });
    while (!listener_.is_running()) std::this_thread::yield();
  }

  void stop() {
    stopping_.raise();
    if (!thread_.joinable()) return;
    listener_.stop();
    thread_.join();
  }

  int port() const { return port_; }
  std::string url() const { return "http://" + options_.host + ":" + std::to_string(port_); }
  std::size_t connections() const { return listener_.connections(); }  ///< open now
  /// Connections that were above max_connections so far.
  std::size_t refused_connections() const { return listener_.refused(); }

 private:
  static HttpRefusal unauthorized() {
    return {401, "the request has no valid token", "",
            "Send the header Authorization: Bearer TOKEN"};
  }

  bool allowed(const httplib::Request& request) const {
    return options_.token.empty() ||
           (request.get_header_value_count("Authorization") == 1 &&
            bearer_is(request.get_header_value("Authorization"), options_.token));
  }

  void answer(const httplib::Request& request, httplib::Response& response) {
    HttpConnection& connection = detail::HttpListener::connection();
    connection.begin_body();
    std::size_t unread = 0;
    if (const Handler* const handler = admit(request, response, unread)) {
      std::string body;
      if (!read(connection, unread, body))
        return refuse(response, {408, "the body did not come in time"});
      HttpCall call(request, std::move(body), response, connection);
      try {
        (*handler)(call);
      } catch (const HttpRefusal& refusal) {
        refuse(response, refusal);
      } catch (const std::exception& error) {
        refuse(response, {500, error.what()});
      }
      return;
    }
    close(response);
  }

  bool refused_at_once(const httplib::Request& request, httplib::Response& response) const {
    std::size_t length = 0;
    if (admit(request, response, length) != nullptr) return false;
    close(response);
    return true;
  }

  /// The handler, and how long the body is; null: the response says why not.
  const Handler* admit(const httplib::Request& request, httplib::Response& response,
                       std::size_t& length) const {
    try {
      if (!allowed(request)) throw unauthorized();
      const auto path = handlers_.find(request.path);
      if (path == handlers_.end()) throw HttpRefusal(404, "this server has no such path");
      const auto method = path->second.find(request.method);
      if (method == path->second.end()) {
        std::string allowed_methods;
        for (const auto& [name, handler] : path->second)
          allowed_methods += (allowed_methods.empty() ? "" : ", ") + name;
        response.set_header("Allow", allowed_methods.c_str());
        throw HttpRefusal(405, "the path is asked with the method " + allowed_methods);
      }
      length = body_length(request);
      return &method->second;
    } catch (const HttpRefusal& refusal) {
      refuse(response, refusal);
      return nullptr;
    }
  }

  std::size_t body_length(const httplib::Request& request) const {
    if (request.has_header("Transfer-Encoding"))
      throw HttpRefusal(411, "the body has no length", "Transfer-Encoding",
                        "Send it whole, with the header Content-Length");
    if (const std::string encoding = request.get_header_value("Content-Encoding");
        !encoding.empty() && encoding != "identity")
      throw HttpRefusal(415, "the body is compressed", "Content-Encoding", "Send it as it is");
    if (!request.has_header("Content-Length")) return 0;
    const std::string text = request.get_header_value("Content-Length");
    std::size_t length = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), length);
    if (request.get_header_value_count("Content-Length") != 1 ||
        read.ptr != text.data() + text.size() || text.empty() ||
        read.ec == std::errc::invalid_argument)
      throw HttpRefusal(400, "the length of the body is not a number", "Content-Length");
    if (read.ec != std::errc() || length > options_.max_body_bytes)
      throw HttpRefusal(
          413, "the body has more than " + std::to_string(options_.max_body_bytes) + " bytes",
          "Content-Length", "Send fewer at a time");
    return length;
  }

  /// Grows with what really comes, whatever length was announced.
  static bool read(HttpConnection& connection, std::size_t length, std::string& body) {
    constexpr std::size_t kPiece = std::size_t{1} << 16U;
    while (body.size() < length) {
      const std::size_t before = body.size();
      body.resize(std::min(length, before + kPiece));
      const ssize_t got = connection.read(body.data() + before, body.size() - before);
      if (got <= 0) {
        detail::HttpListener::close_after();
        return false;
      }
      body.resize(before + static_cast<std::size_t>(got));
    }
    return true;
  }

  static void close(httplib::Response& response) {
    response.set_header("Connection", "close");
    detail::HttpListener::close_after();
  }
  static void refuse(httplib::Response& response, const HttpRefusal& refusal) {
    response.status = refusal.status;
    response.set_content(refusal_body(refusal.what()), "application/json");
    if (refusal.status == 401) response.set_header("WWW-Authenticate", "Bearer");
    if (refusal.retry_after_seconds > 0)
      response.set_header("Retry-After",
                          std::to_string(std::llround(std::ceil(refusal.retry_after_seconds))));
  }

  HttpServerOptions options_;
  EventFlag stopping_;
  detail::HttpListener listener_;
  std::map<std::string, std::map<std::string, Handler>> handlers_;  // path, method
  std::function<void(int)> count_;
  bool started_ = false;
  int port_ = 0;
  std::thread thread_;
};

}  // namespace dualagent
