#pragma once

/// Needs cpp-httplib, as net/http_connection.hpp.

#include <httplib.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "dualagent/core/check.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/printable.hpp"
#include "dualagent/net/connection_threads.hpp"
#include "dualagent/net/http_connection.hpp"

namespace dualagent {

/// A request that is not served: whoever handles it throws this, and the client reads the sentence.
struct HttpRefusal : Error {
  HttpRefusal(int with_status, const std::string& what, std::string where = {},
              std::string remedy = {}, double retry_after = 0)
      : Error(what, std::move(where), std::move(remedy)),
        status(with_status),
        retry_after_seconds(retry_after) {}
  int status;                  ///< of HTTP, e.g. 400
  double retry_after_seconds;  ///< of the header Retry-After; 0: none
};

/// What a refusal says: {"error": {"message": ...}}, as SGLang replies.
inline std::string refusal_body(std::string_view sentence) {
  return nlohmann::json{{"error", {{"message", printable(sentence)}}}}.dump();
}

/// Whether a header `Authorization` has the token: "Bearer TOKEN". Takes as long for any header of
/// the same length, wherever it differs from the right one.
inline bool bearer_is(std::string_view header, std::string_view token) {
  constexpr std::string_view kScheme = "bearer ";
  std::size_t wrong = header.size() == kScheme.size() + token.size() ? 0U : 1U;
  for (std::size_t i = 0; i < header.size(); ++i) {
    const auto said = static_cast<unsigned char>(header[i]);
    const auto right =
        static_cast<unsigned char>(i < kScheme.size() ? kScheme[i]
                                   : token.empty()    ? '\0'
                                                      : token[(i - kScheme.size()) % token.size()]);
    const int lower = i < kScheme.size() ? std::tolower(said) : said;
    wrong |= static_cast<unsigned>(lower) ^ right;
  }
  return wrong == 0;
}

/// How a server listens, and what it takes.
struct HttpServerOptions {
  std::string host = "127.0.0.1";  ///< IPv4 address of the interface; 0.0.0.0: all of them
  int port = 0;                    ///< 0: any that is free, see HttpServer::port
  /// What clients have to say, as the header "Authorization: Bearer TOKEN"; without it nothing is
  /// answered but 401. Empty: nobody has to say anything; only for 127.0.0.1.
  std::string token = {};
  std::size_t max_connections = 512;                    ///< a thread each; one more is answered 503
  std::size_t max_body_bytes = std::size_t{64} << 20U;  ///< of a request; more is answered 413
  HttpPatience patience = {};

  void validate() const {
    const std::string owner = "HttpServerOptions";
    require_option(port, {0, 65535}, "port", owner);
    require_option(max_connections, kAtLeastOne, "max_connections", owner);
    require_option(max_body_bytes, kAtLeastOne, "max_body_bytes", owner);
    require_option(patience.idle_seconds, kPositive, "patience.idle_seconds", owner);
    require_option(patience.read_seconds, kPositive, "patience.read_seconds", owner);
    require_option(patience.write_seconds, kPositive, "patience.write_seconds", owner);
    require_option(patience.max_header_bytes, {256, 1 << 20}, "patience.max_header_bytes", owner);
    if (token.empty() && host != "127.0.0.1")
      throw Error("a server that others can reach has no token", owner + "::host = '" + host + "'",
                  "Set a token, or listen on 127.0.0.1");
    for (const char c : token)
      if (c <= ' ' || c > '~')
        throw Error("the token has a space, a line break or a character that is not ASCII", owner,
                    "Use letters and digits, e.g. of: openssl rand -hex 32");
  }
};

/// A reply that is written piece by piece.
class HttpStream {
 public:
  explicit HttpStream(httplib::DataSink& sink) : sink_(sink) {}
  /// False: the client has gone, or did not take the piece in time. Nothing is sent for "".
  bool send(std::string_view piece) {
    return piece.empty() || (sink_.write(piece.data(), piece.size()) && true);
  }

 private:
  httplib::DataSink& sink_;
};

/// A request, and the reply to it.
class HttpCall {
 public:
  HttpCall(const httplib::Request& request, std::string body, httplib::Response& response,
           const HttpConnection& connection)
      : request_(request), body_(std::move(body)), response_(response), connection_(connection) {}

  const std::string& path() const { return request_.path; }
  const std::string& body() const { return body_; }
  std::string header(const std::string& name) const {
    return request_.get_header_value(name.c_str());
  }
  /// The value of ?name=value; empty where there is none.
  std::string query(const std::string& name) const {
    const auto found = request_.params.find(name);
    return found == request_.params.end() ? std::string() : found->second;
  }

  /// Sleeps until the flag is raised (true), or the client has closed its side (false), after which
  /// nobody reads a reply.
  bool await(const EventFlag& flag) const { return connection_.await(flag); }
  bool client_gone() const { return connection_.client_gone(); }

  void reply(int status, const std::string& body, const char* type = "application/json") {
    response_.status = status;
    response_.set_content(body, type);
  }
  void reply(const nlohmann::json& body) { reply(200, body.dump()); }
  void header(const std::string& name, const std::string& value) {
    response_.set_header(name.c_str(), value);
  }
  /// Replies 200 with what `write(HttpStream&)` sends, once the handler has returned; it is called
  /// once, on the same thread.
  void stream(const char* type, std::function<void(HttpStream&)> write) {
    response_.status = 200;
    response_.set_header("Cache-Control", "no-cache");
    response_.set_chunked_content_provider(
        type, [write = std::move(write)](std::size_t, httplib::DataSink& sink) {
          HttpStream out(sink);
          write(out);
          sink.done();
          return true;
        });
  }

 private:
  const httplib::Request& request_;
  std::string body_;
  httplib::Response& response_;
  const HttpConnection& connection_;
};

namespace detail {

/// cpp-httplib's server, which reads requests and writes replies, over connections of our own.
class HttpListener final : public httplib::Server {
 public:
  HttpListener(const HttpPatience& patience, const EventFlag& stopping)
      : patience_(patience), stopping_(stopping) {}

  /// Of the request that this thread answers.
  static HttpConnection& connection() { return *connection_; }
  /// The connection is not used again after this request: not all of it was read.
  static void close_after() { close_after_ = true; }
  std::size_t connections() const { return connections_; }
  std::size_t refused() const { return refused_; }

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
    if (close_after_ || closed) connection.close_gently();
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
    return true;
  }

  inline static thread_local HttpConnection* connection_ = nullptr;
  inline static thread_local bool close_after_ = false;
  const HttpPatience& patience_;
  const EventFlag& stopping_;
  std::atomic<std::size_t> connections_ = 0, refused_ = 0;
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
/// Errors: `start` throws Error where the port cannot be had.
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
    listener_.set_post_routing_handler([](const auto&, auto& response) {
      if (response.has_header("Connection")) response.headers.erase("Keep-Alive");
    });
  }
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  ~HttpServer() { stop(); }

  /// Requests of this method and exactly this path go to the handler; before `start`.
  void on(const std::string& method, const std::string& path, Handler handler) {
    handlers_[path][method] = std::move(handler);
  }

  void start() {
    const bool any = options_.port == 0;
    port_ = any ? listener_.bind_to_any_port(options_.host) : options_.port;
    if (any ? port_ <= 0 : !listener_.bind_to_port(options_.host, port_))
      throw Error("cannot listen on port " + std::to_string(options_.port), options_.host,
                  "Choose another port, or 0 for any that is free");
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
  /// The message of the exception that is being handled becomes a reply's status and body. For
  /// handlers that reply later than they return. Example: in `catch (...)`.
  static std::pair<int, std::string> refusal_of(const std::exception& error) {
    const auto* const refusal = dynamic_cast<const HttpRefusal*>(&error);
    return {refusal == nullptr ? 500 : refusal->status, error.what()};
  }

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
        response.set_header("Allow", path->second.begin()->first.c_str());
        throw HttpRefusal(405, "the path is asked with the method " + path->second.begin()->first);
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
  int port_ = 0;
  std::thread thread_;
};

}  // namespace dualagent
