#pragma once

/// Needs libcurl 7.68 or newer: link the CMake target dualagent::http. Not part of the umbrella.

#if !__has_include(<curl/curl.h>)
#error "dualagent/net/http_client.hpp needs libcurl (Debian: libcurl4-openssl-dev)"
#endif
#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dualagent/core/check.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/no_pipe_signal.hpp"
#include "dualagent/core/printable.hpp"

namespace dualagent {

/// A server's address in two parts: "http://host:8000/v1/" is "http://host:8000" and "/v1".
///
/// Errors: Error where it begins with neither http:// nor https://, names no host, or holds a user
/// name, a query, white space or a NUL byte; such an address is not shown, since it may hold a
/// secret.
struct BaseUrl {
  std::string server;
  std::string path;

  explicit BaseUrl(const std::string& url) {
    if (url.find_first_of(std::string_view("@?# \t\r\n\0", 8)) != std::string::npos)
      throw Error("the server's address holds a user name, a query, white space or a NUL byte",
                  "base_url",
                  "Write e.g. http://127.0.0.1:8000/v1; a key goes into an environment variable");
    const bool secure = url.starts_with("https://");
    if (!secure && !url.starts_with("http://"))
      throw Error("the server's address begins with neither http:// nor https://",
                  "'" + printable(url) + "'", "Write e.g. http://127.0.0.1:8000/v1");
    const std::size_t host = secure ? 8 : 7;
    const std::size_t slash = std::min(url.find('/', host), url.size());
    server = url.substr(0, slash);
    path = url.substr(slash);
    while (path.ends_with('/')) path.pop_back();
    if (slash == host || url[host] == ':')
      throw Error("the server's address names no host", "'" + url + "'",
                  "Write e.g. http://127.0.0.1:8000/v1");
  }
};

enum class HttpMethod : std::uint8_t { get, post };

/// One exchange with a server. A body is sent as JSON.
struct HttpRequest {
  std::string url = {};
  HttpMethod method = HttpMethod::post;
  std::string body = {};
  std::vector<std::string> headers = {};  ///< more of them, e.g. "Authorization: Bearer ..."
  double timeout_seconds = 60;            ///< from the sending to the last byte of the reply
};

/// Why there is no whole reply.
enum class HttpFailure : std::uint8_t {
  none,           ///< there is one, of any status
  no_connection,  ///< nobody answers at that address
  timed_out,      ///< the reply was not there in time
  too_large,      ///< the reply has more bytes than are taken
  broken          ///< the connection ended before the reply did, or the reply is no HTTP
};

/// What came of a request.
struct HttpReply {
  HttpFailure failure = HttpFailure::none;
  int status = 0;                  ///< of HTTP; 0 where nothing came
  std::string body = {};           ///< empty after a failure
  std::string reason = {};         ///< of a failure, for people
  double retry_after_seconds = 0;  ///< what the server asks to wait before the next request
  /// Whether there is a whole reply of status 200.
  bool ok() const { return failure == HttpFailure::none && status == 200; }
};

struct HttpOptions {
  double connect_timeout_seconds = 5;
  std::size_t max_reply_bytes = std::size_t{256} << 20U;
  std::size_t max_kept_connections = 256;
};

namespace detail {

/// For texts that libcurl ends at a NUL byte, and a header at a line break, behind which another
/// header would stand. Not shown: a secret may stand in it.
/// Errors: Error with the byte.
inline void require_line(std::string_view text, const std::string& name) {
  const std::size_t end = text.find_first_of(std::string_view("\0\r\n", 3));
  if (end != std::string_view::npos)
    throw Error(name + " has a NUL byte or a line break at byte " + std::to_string(end),
                "HttpRequest", "It would end there: take it out");
}

/// A header in an error, without its value.
inline std::string header_name(const std::string& header) {
  const std::size_t colon = header.find(':');
  return colon == std::string::npos ? "a header" : "header " + printable(header.substr(0, colon));
}

/// A curl option that cannot fail unless the library is built without it.
template <class Value>
void set_curl(CURL* curl, CURLoption option, Value value) {
  if (const CURLcode code = curl_easy_setopt(curl, option, value); code != CURLE_OK)
    throw Error(std::string("libcurl does not take an option: ") + curl_easy_strerror(code),
                "HttpClient", "Install a libcurl with HTTP support, 7.68 or newer");
}

/// One request under way and what has come of it so far; stays where it is.
class Exchange {
 public:
  Exchange(const HttpRequest& request, const HttpOptions& options)
      : body_(request.body),
        max_reply_bytes_(options.max_reply_bytes),
        curl_(curl_easy_init(), curl_easy_cleanup) {
    if (!curl_) throw Error("libcurl has no memory for a request", "HttpClient");
    add_header("Content-Type: application/json");
    add_header("Expect:");  // no round trip before a large body
    for (const std::string& header : request.headers) add_header(header);
    set_curl(curl(), CURLOPT_URL, request.url.c_str());
    set_curl(curl(), CURLOPT_HTTPHEADER, headers_.get());
    set_curl(curl(), CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1});
    set_curl(curl(), CURLOPT_NOSIGNAL, 1L);
    set_curl(curl(), CURLOPT_NOPROXY, "*");
    set_curl(curl(), CURLOPT_TCP_KEEPALIVE, 1L);
    set_curl(curl(), CURLOPT_CONNECTTIMEOUT_MS, milliseconds(options.connect_timeout_seconds));
    set_curl(curl(), CURLOPT_TIMEOUT_MS, milliseconds(request.timeout_seconds));
    set_curl(curl(), CURLOPT_ERRORBUFFER, error_.data());
    set_curl(curl(), CURLOPT_WRITEFUNCTION, &Exchange::take);
    set_curl(curl(), CURLOPT_WRITEDATA, this);
    if (request.method == HttpMethod::post) {
      set_curl(curl(), CURLOPT_POST, 1L);
      set_curl(curl(), CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body_.size()));
      set_curl(curl(), CURLOPT_POSTFIELDS, body_.c_str());
    }
  }

  CURL* curl() const { return curl_.get(); }

  HttpReply reply(CURLcode code) {
    long status = 0;
    curl_off_t retry_after = 0;
    curl_easy_getinfo(curl(), CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(curl(), CURLINFO_RETRY_AFTER, &retry_after);
    HttpReply reply{.failure = failure(code),
                    .status = static_cast<int>(status),
                    .retry_after_seconds = static_cast<double>(retry_after)};
    if (reply.failure == HttpFailure::none)
      reply.body = std::move(received_);
    else
      reply.reason = error_[0] == '\0' ? curl_easy_strerror(code) : error_.data();
    return reply;
  }

 private:
  static long milliseconds(double seconds) {
    return static_cast<long>(std::min(seconds, 1e6) * 1e3) + 1;
  }

  void add_header(const std::string& header) {
    curl_slist* const longer = curl_slist_append(headers_.get(), header.c_str());
    if (longer == nullptr) throw Error("libcurl has no memory for a header", "HttpClient");
    static_cast<void>(headers_.release());
    headers_.reset(longer);
  }

  static std::size_t take(char* data, std::size_t, std::size_t size, void* self) {
    auto& exchange = *static_cast<Exchange*>(self);
    if (size > exchange.max_reply_bytes_ - exchange.received_.size()) {
      exchange.too_large_ = true;
      return 0;  // ends the transfer
    }
    exchange.received_.append(data, size);
    return size;
  }

  HttpFailure failure(CURLcode code) const {
    if (code == CURLE_OK) return HttpFailure::none;
    if (too_large_) return HttpFailure::too_large;
    if (code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST)
      return HttpFailure::no_connection;
    if (code != CURLE_OPERATION_TIMEDOUT) return HttpFailure::broken;
    long sent = 0;  // bytes; a kept connection has no time of connecting
    curl_easy_getinfo(curl(), CURLINFO_REQUEST_SIZE, &sent);
    return sent == 0 ? HttpFailure::no_connection : HttpFailure::timed_out;
  }

  std::string body_;
  std::size_t max_reply_bytes_;
  std::unique_ptr<CURL, void (*)(CURL*)> curl_;
  std::unique_ptr<curl_slist, void (*)(curl_slist*)> headers_{nullptr, curl_slist_free_all};
  std::array<char, CURL_ERROR_SIZE> error_{};
  std::string received_;
  bool too_large_ = false;
};

}  // namespace detail

/// Many HTTP exchanges at once from one thread, over connections that are kept.
///
/// `start` begins an exchange and returns at once; `poll` moves all of them on and hands over those
/// that have ended. HTTP/1.1 and, where libcurl has it, TLS; redirects are not followed and proxies
/// of the environment are not used. Nothing is tried again, except by libcurl where a kept
/// connection turns out to be closed before a byte of the reply came.
/// One thread at a time may use it; `wake` may be called from any. The destructor ends what runs.
/// Errors: the constructor throws Error for options that cannot be meant, and any call where
/// libcurl has no memory; what goes wrong with a request is in its HttpReply.
/// Example: HttpClient client; client.fetch({.url = "http://127.0.0.1:8000/health",
///                                           .method = HttpMethod::get}).status == 200
class HttpClient {
 public:
  using Ticket = std::uint64_t;

  explicit HttpClient(HttpOptions options = {}) : options_(options) {
    require_option(options_.connect_timeout_seconds, kPositiveSeconds, "connect_timeout_seconds",
                   "HttpOptions");
    require_option(options_.max_reply_bytes, kAtLeastOne, "max_reply_bytes", "HttpOptions");
    require_option(options_.max_kept_connections, kCount, "max_kept_connections", "HttpOptions");
    static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
    multi_.reset(ready == CURLE_OK ? curl_multi_init() : nullptr);
    if (!multi_) throw Error("libcurl cannot be used", "HttpClient", "Check its installation");
    curl_multi_setopt(multi_.get(), CURLMOPT_MAXCONNECTS,
                      static_cast<long>(options_.max_kept_connections));
  }
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;
  ~HttpClient() {
    const NoPipeSignal quiet;
    for (const auto& [ticket, exchange] : running_)
      curl_multi_remove_handle(multi_.get(), exchange->curl());
    running_.clear();
    multi_.reset();
  }

  /// Begins an exchange; its number comes back with its reply.
  /// Errors: Error for a time-out that cannot be meant, and for a URL or header that would be cut.
  Ticket start(const HttpRequest& request) {
    detail::require_line(request.url, "url");
    for (const std::string& header : request.headers)
      detail::require_line(header, detail::header_name(header));
    require_option(request.timeout_seconds, kPositiveSeconds, "timeout_seconds", "HttpRequest");
    const NoPipeSignal quiet;
    auto exchange = std::make_unique<detail::Exchange>(request, options_);
    if (curl_multi_add_handle(multi_.get(), exchange->curl()) != CURLM_OK)
      throw Error("libcurl has no memory for a request", "HttpClient");
    running_.emplace(++last_, std::move(exchange));
    return last_;
  }

  /// Ends an exchange without a reply and closes its connection, by which a server notices; one
  /// that has ended is ignored.
  void abort(Ticket ticket) {
    const auto found = running_.find(ticket);
    if (found == running_.end()) return;
    const NoPipeSignal quiet;
    curl_multi_remove_handle(multi_.get(), found->second->curl());
    running_.erase(found);
  }

  std::size_t running() const { return running_.size(); }

  /// Moves all exchanges on, waiting up to `seconds` for something to happen, and calls
  /// `on_reply(Ticket, HttpReply)` for those that have ended; it may call `start` and `abort`.
  template <class OnReply>
  void poll(double seconds, OnReply&& on_reply) {
    const NoPipeSignal quiet;
    int left = 0;
    curl_multi_perform(multi_.get(), &left);
    if (static_cast<std::size_t>(left) == running_.size() && seconds > 0) {
      curl_multi_poll(multi_.get(), nullptr, 0, static_cast<int>(std::min(seconds, 1e5) * 1e3),
                      nullptr);
      curl_multi_perform(multi_.get(), &left);
    }
    for (auto& [ticket, reply] : ended()) on_reply(ticket, std::move(reply));
  }

  /// Ends the `poll` that waits now, or else the next one; from any thread.
  void wake() { curl_multi_wakeup(multi_.get()); }

  /// One exchange, waited for. Replies of others that run are lost: use a client of its own.
  HttpReply fetch(const HttpRequest& request) {
    const Ticket wanted = start(request);
    std::optional<HttpReply> found;
    while (!found)
      poll(1.0, [&](Ticket ticket, HttpReply&& reply) {
        if (ticket == wanted) found = std::move(reply);
      });
    return std::move(*found);
  }

 private:
  std::vector<std::pair<Ticket, HttpReply>> ended() {
    std::vector<std::pair<Ticket, HttpReply>> replies;
    int more = 0;
    while (const CURLMsg* const message = curl_multi_info_read(multi_.get(), &more)) {
      if (message->msg != CURLMSG_DONE) continue;
      const CURLcode code = message->data.result;
      const auto found = std::find_if(running_.begin(), running_.end(), [&](const auto& one) {
        return one.second->curl() == message->easy_handle;
      });
      replies.emplace_back(found->first, found->second->reply(code));
      curl_multi_remove_handle(multi_.get(), found->second->curl());
      running_.erase(found);
    }
    return replies;
  }

  struct Cleanup {
    void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
  };

  HttpOptions options_;
  std::unique_ptr<CURLM, Cleanup> multi_;
  std::map<Ticket, std::unique_ptr<detail::Exchange>> running_;
  Ticket last_ = 0;
};

}  // namespace dualagent
