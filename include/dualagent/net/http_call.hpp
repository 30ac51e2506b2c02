#pragma once

/// Needs cpp-httplib, as net/http_connection.hpp.

#include <httplib.h>

#include <cctype>
#include <cstddef>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "dualagent/core/error.hpp"
#include "dualagent/core/printable.hpp"
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

/// A reply that is written piece by piece.
class HttpStream {
 public:
  HttpStream(httplib::DataSink& sink, const HttpConnection& connection)
      : sink_(sink), connection_(connection) {}
  /// False: the client has gone, or did not take the piece in time. Nothing is sent for "".
  bool send(std::string_view piece) {
    return piece.empty() || (sink_.write(piece.data(), piece.size()) && true);
  }
  /// As HttpCall::await.
  bool await(const EventFlag& flag) const { return connection_.await(flag); }

 private:
  httplib::DataSink& sink_;
  const HttpConnection& connection_;
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
  /// once, on the same thread. Where it throws, the connection is closed in the middle of the
  /// reply, so that the client knows that it is not whole.
  void stream(const char* type, std::function<void(HttpStream&)> write) {
    response_.status = 200;
    response_.set_header("Cache-Control", "no-cache");
    response_.set_chunked_content_provider(
        type, [write = std::move(write), &connection = connection_](std::size_t,
                                                                    httplib::DataSink& sink) {
          try {
            HttpStream out(sink, connection);
            write(out);
          } catch (...) {  // the status is sent: an early end is all that can be said
            return false;
          }
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

}  // namespace dualagent
