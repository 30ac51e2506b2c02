#include "dualagent/net/http_client.hpp"

#include <atomic>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/http_server.hpp"
#include "support/wait_for.hpp"

using namespace dualagent;
using http_server::ClosedPort;
using http_server::Server;

namespace {

constexpr std::size_t kMany = 16;

/// Takes one connection, reads a request's first line and sends `reply`, whatever it is.
std::thread reply_raw(const ClosedPort& port, std::string reply) {
  if (listen(port.socket_number(), 4) != 0) throw std::runtime_error("cannot listen");
  return std::thread([&port, reply = std::move(reply)] {
    const int connection = accept(port.socket_number(), nullptr, nullptr);
    std::string read(4096, '\0');
    if (recv(connection, read.data(), read.size(), 0) > 0)
      static_cast<void>(send(connection, reply.data(), reply.size(), MSG_NOSIGNAL));
    close(connection);
  });
}

HttpReply fetch(const std::string& url, double timeout_seconds = 60, HttpOptions options = {}) {
  HttpClient client(options);
  return client.fetch({.url = url, .body = "{}", .timeout_seconds = timeout_seconds});
}

}  // namespace

TEST_CASE("addresses are cut into server and path, and what cannot be one is refused", "[net]") {
  CHECK(BaseUrl("http://host:8000/v1/").server == "http://host:8000");
  CHECK(BaseUrl("http://host:8000/v1/").path == "/v1");
  CHECK(BaseUrl("https://host").path.empty());
  for (const char* url : {"", "host", "ftp://host", "http://", "http:///v1", "http://u:p@host/",
                          "http://:8000", "https://:8000/v1"})
    CHECK_THROWS_AS(BaseUrl(url), Error);
  CHECK_THROWS_WITH(BaseUrl(std::string("http://host\0.else", 16)),
                    ContainsSubstring("a NUL byte"));
}

TEST_CASE("a URL or header that would be cut off, or make another header, is refused unshown",
          "[net]") {
  HttpClient client;
  const auto refusal = [&](const HttpRequest& request) {
    const std::string said = error_of([&] { client.start(request); });
    CHECK_THAT(said, !ContainsSubstring("sk-"));
    return said;
  };
  CHECK(refusal({.url = std::string("http://127.0.0.1:1/a\0b", 22)}) ==
        "url has a NUL byte or a line break at byte 20 (HttpRequest). It would end there: take it "
        "out");
  for (const std::string& end : {std::string(1, '\0'), std::string("\n"), std::string("\r\n")})
    CHECK_THAT(
        refusal({.url = "http://127.0.0.1:1/",
                 .headers = {"X-Good: 1", "Authorization: Bearer sk-1" + end + "X-More: 2"}}),
        ContainsSubstring("header Authorization has a NUL byte or a line break at byte 26"));
  CHECK(client.running() == 0);
}

TEST_CASE("a client that would keep no connection, or more than there can be, is refused",
          "[net]") {
  for (const std::size_t kept : {std::size_t{0}, std::size_t{1} << 63U})
    CHECK_THAT(error_of([&] { HttpClient({.max_kept_connections = kept}); }),
               ContainsSubstring("max_kept_connections is " + std::to_string(kept)));
}

TEST_CASE("many exchanges are under way at once from one thread, over kept connections", "[net]") {
  Together together(kMany);
  std::mutex mutex;
  std::set<int> ports;
  Server server(
      [&](const httplib::Request& request, httplib::Response& response) {
        if (!together.arrive_and_wait()) response.status = 500;
        response.set_content(request.body, "text/plain");
        const std::lock_guard lock(mutex);
        ports.insert(request.remote_port);
      },
      "/echo", kMany);
  HttpClient client({.connect_timeout_seconds = 60});  // the server's queue of connections is short
  for (int round = 0; round < 3; ++round) {
    std::map<HttpClient::Ticket, std::string> sent;
    for (std::size_t i = 0; i < kMany; ++i) {
      const std::string body = std::to_string(round) + ":" + std::to_string(i);
      sent[client.start({.url = server.root() + "/echo", .body = body})] = body;
    }
    CHECK(client.running() == kMany);
    while (client.running() > 0)
      client.poll(1.0, [&](HttpClient::Ticket ticket, HttpReply&& reply) {
        CHECK(reply.ok());
        CHECK(reply.body == sent.at(ticket));
        sent.erase(ticket);
      });
    CHECK(sent.empty());
  }
  CHECK(ports.size() == kMany);
}

TEST_CASE("an exchange that is aborted has no reply, and its server sees the connection close",
          "[net]") {
  Together reached(2);
  std::atomic<bool> served = false, seen_closed = false;
  Server server(
      [&](const httplib::Request&, httplib::Response& response) {
        reached.arrive_and_wait();
        // cpp-httplib 0.18 asks no provider whose client has left: it lets go of it.
        response.set_chunked_content_provider(
            "text/plain", [](std::size_t, httplib::DataSink& sink) { return sink.write("x", 1); },
            [&](bool) { seen_closed = true; });
      },
      "/");
  {
    HttpClient client;
    const auto ticket = client.start({.url = server.root() + "/"});
    std::thread wait([&] {
      reached.arrive_and_wait();
      served = true;
      client.wake();
    });
    wait_for("the wake", [&] {
      client.poll(60.0, [](auto, HttpReply&&) { CHECK(false); });
      return served.load();
    });
    wait.join();
    client.abort(ticket);
    CHECK(client.running() == 0);
    client.abort(ticket);  // ignored
  }
  wait_for("the news that the connection is closed", [&] { return seen_closed.load(); });
}

TEST_CASE("what keeps a reply from coming is told apart", "[net]") {
  const ClosedPort closed;
  CHECK(fetch(closed.root()).failure == HttpFailure::no_connection);
  CHECK(!fetch(closed.root()).reason.empty());

  Server endless(
      [](const httplib::Request&, httplib::Response& response) {
        response.set_chunked_content_provider(
            "text/plain", [](std::size_t, httplib::DataSink& sink) { return sink.write(" ", 1); });
      },
      "/");
  CHECK(fetch(endless.root() + "/", 0.5).failure == HttpFailure::timed_out);
  const HttpReply large = fetch(endless.root() + "/", 60, {.max_reply_bytes = 1000});
  CHECK(large.failure == HttpFailure::too_large);
  CHECK(large.body.empty());
  CHECK(!large.ok());
}

TEST_CASE("a reply that ends too soon is broken, not short", "[net]") {
  for (const char* reply :
       {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"half\":",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n{\"half\":", ""}) {
    CAPTURE(reply);
    const ClosedPort port;
    std::thread server = reply_raw(port, reply);
    CHECK(fetch(port.root()).failure == HttpFailure::broken);
    server.join();
  }
}

TEST_CASE("method, headers and status travel, and redirects are not followed", "[net]") {
  Server server(
      [](const httplib::Request& request, httplib::Response& response) {
        response.status = 302;
        response.set_header("Location", "http://127.0.0.1:1/");
        response.set_header("Retry-After", "7");
        response.set_content(request.method + " " + request.get_header_value("X-Key"),
                             "text/plain");
      },
      "/");
  HttpClient client;
  const HttpReply reply = client.fetch(
      {.url = server.root() + "/", .method = HttpMethod::get, .headers = {"X-Key: secret"}});
  CHECK(reply.failure == HttpFailure::none);
  CHECK(reply.status == 302);
  CHECK(reply.retry_after_seconds == 7);
  CHECK(reply.body == "GET secret");
}

TEST_CASE("options that cannot be meant are refused", "[net]") {
  CHECK_THROWS_AS(HttpClient({.connect_timeout_seconds = 0}), Error);
  CHECK_THROWS_AS(HttpClient({.connect_timeout_seconds = 1e10}), Error);
  CHECK_THROWS_AS(HttpClient({.max_reply_bytes = 0}), Error);
  HttpClient client;
  for (const double seconds : {-5.0, 0.0, 1e10, std::numeric_limits<double>::quiet_NaN()})
    CHECK_THROWS_WITH(client.start({.url = "http://127.0.0.1:9", .timeout_seconds = seconds}),
                      ContainsSubstring("timeout_seconds is"));
  CHECK(client.running() == 0);
}
