#include "dualagent/net/http_server.hpp"

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "dualagent/net/http_client.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/raw_connection.hpp"
#include "support/wait_for.hpp"

using namespace dualagent;
using raw_connection::RawConnection;

namespace {

constexpr const char* kToken = "0123456789abcdef";

/// A server that says what it was asked.
struct Echo {
  explicit Echo(HttpServerOptions options = {.token = kToken}) : server(std::move(options)) {
    server.on("POST", "/echo", [this](HttpCall& call) {
      ++calls;
      call.reply(200, call.body() + call.query("q"), "text/plain");
    });
    server.on("GET", "/health", [](HttpCall& call) { call.reply(200, ""); });
    server.on("POST", "/refuse",
              [](HttpCall&) { throw HttpRefusal(429, "the queue is full", "queue", "Wait", 0.2); });
    server.on("POST", "/fail", [](HttpCall&) { throw std::runtime_error("something broke"); });
    server.start();
  }
  HttpReply ask(const std::string& path, HttpMethod method = HttpMethod::post,
                std::vector<std::string> headers = {std::string("Authorization: Bearer ") +
                                                    kToken}) {
    HttpClient client;
    return client.fetch({.url = server.url() + path,
                         .method = method,
                         .body = method == HttpMethod::post ? "body" : "",
                         .headers = std::move(headers)});
  }
  /// What comes back for these bytes, until the server closes.
  std::string raw(const std::string& bytes) {
    RawConnection connection(server.port());
    connection.send(bytes);
    return connection.read_all();
  }

  std::atomic<int> calls = 0;
  HttpServer server;
};

std::string post(const std::string& path, const std::string& more_headers,
                 const std::string& body = "") {
  return "POST " + path + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + kToken + "\r\n" +
         more_headers + "\r\n" + body;
}

}  // namespace

TEST_CASE("a handler gets body and query and its reply comes back, over a kept connection",
          "[net]") {
  Echo echo;
  CHECK(echo.ask("/echo?q=1").body == "body1");
  CHECK(echo.ask("/health", HttpMethod::get).status == 200);
  RawConnection connection(echo.server.port());
  for (int i = 0; i < 3; ++i) {
    connection.send(post("/echo", "Content-Length: 2\r\n", "hi"));
    CHECK_THAT(connection.read_until("hi"), ContainsSubstring("200 OK"));
  }
  CHECK(echo.server.connections() == 1);
}

TEST_CASE("without the token nothing is answered but 401, and no body is read", "[net]") {
  Echo echo;
  for (const char* path : {"/echo", "/health", "/nothing", "/refuse"})
    for (const std::vector<std::string>& headers : {std::vector<std::string>{},
                                                    {"Authorization: Bearer 0123456789abcdeX"},
                                                    {"Authorization: Bearer 0123456789abcdef0"},
                                                    {"Authorization: Basic 0123456789abcdef"},
                                                    {"Authorization: 0123456789abcdef"}}) {
      const HttpReply reply = echo.ask(path, HttpMethod::post, headers);
      CHECK(reply.status == 401);
      CHECK_THAT(reply.body, ContainsSubstring("Authorization: Bearer TOKEN"));
    }
  CHECK(echo.calls == 0);
  for (const char* bytes :
       {"nonsense\r\n\r\n", "POST /echo HTTP/1.1\r\nContent-Length: 1000000000\r\n\r\n",
        "POST /echo HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n",
        "GET /health HTTP/1.1\r\nRange: bytes=9-1\r\nConnection: close\r\n\r\n",
        "POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"}) {
    const std::string reply = echo.raw(bytes);
    CAPTURE(bytes, reply);
    CHECK(reply.substr(0, 12) == "HTTP/1.1 401");
  }
}

TEST_CASE("what cannot be served is refused before its body is read", "[net]") {
  Echo echo;
  const auto status = [&](const std::string& bytes) { return echo.raw(bytes).substr(9, 3); };
  CHECK(status(post("/nothing", "Content-Length: 9\r\n")) == "404");
  CHECK(status(post("/health", "Content-Length: 9\r\n")) == "405");
  CHECK_THAT(echo.raw(post("/health", "Content-Length: 9\r\n")), ContainsSubstring("Allow: GET\r"));
  CHECK(status(post("/echo", "Content-Length: 1000000000\r\n")) == "413");
  CHECK(status(post("/echo", "Content-Length: 99999999999999999999999\r\n")) == "413");
  CHECK(status(post("/echo", "Content-Length: -1\r\n")) == "400");
  CHECK(status(post("/echo", "Content-Length: 4\r\nContent-Length: 5\r\n")) == "400");
  CHECK(status(post("/echo", "Transfer-Encoding: chunked\r\n")) == "411");
  CHECK(status(post("/echo", "Content-Encoding: gzip\r\nContent-Length: 9\r\n")) == "415");
  CHECK(status(post("/echo", "Expect: 100-continue\r\nContent-Length: 1000000000\r\n")) == "413");
  CHECK(status("POST /echo\r\n\r\n") == "401");  // not HTTP: its headers are not read
  CHECK(echo.calls == 0);
}

TEST_CASE("a body that was announced is waited for, and may be asked for first", "[net]") {
  Echo echo;
  RawConnection connection(echo.server.port());
  connection.send(post("/echo", "Expect: 100-continue\r\nContent-Length: 4\r\n"));
  CHECK_THAT(connection.read_until("\r\n\r\n"), ContainsSubstring("100"));
  connection.send("bo");
  connection.send("dy");
  CHECK_THAT(connection.read_until("body"), ContainsSubstring("200 OK"));
}

TEST_CASE("what a handler throws becomes a reply", "[net]") {
  Echo echo;
  const HttpReply busy = echo.ask("/refuse");
  CHECK(busy.status == 429);
  CHECK(busy.retry_after_seconds == 1);
  CHECK(busy.body == R"({"error":{"message":"the queue is full (queue). Wait"}})");
  const HttpReply broken = echo.ask("/fail");
  CHECK(broken.status == 500);
  CHECK_THAT(broken.body, ContainsSubstring("something broke"));
}

TEST_CASE("clients that are too slow, or send endless headers, lose their connection", "[net]") {
  Echo echo({.token = kToken,
             .patience = {.idle_seconds = 0.05, .read_seconds = 0.1, .max_header_bytes = 1000}});
  CHECK(echo.raw("").empty());          // idle
  CHECK(echo.raw("POST /ec").empty());  // half a line
  CHECK_THAT(echo.raw(post("/echo", "Content-Length: 9\r\n", "half")),
             ContainsSubstring("408"));             // half a body
  CHECK(echo.raw(std::string(5000, 'x')).empty());  // no end of the first line
  std::string many = "POST /echo HTTP/1.1\r\n";
  for (int i = 0; i < 100; ++i) many += "A: 0123456789\r\n";
  CHECK_THAT(echo.raw(many), ContainsSubstring("401"));  // too many headers
  CHECK(echo.calls == 0);
  while (echo.server.connections() > 0) std::this_thread::yield();
}

TEST_CASE("a client that takes no bytes loses its connection, others are served", "[net]") {
  HttpServer server({.patience = {.write_seconds = 0.1}});
  const std::string much(std::size_t{1} << 24U, 'x');
  server.on("GET", "/much", [&](HttpCall& call) { call.reply(200, much, "text/plain"); });
  server.on("GET", "/health", [](HttpCall& call) { call.reply(200, ""); });
  server.start();
  RawConnection slow(server.port());
  slow.send("GET /much HTTP/1.1\r\n\r\n");
  HttpClient client;
  CHECK(client.fetch({.url = server.url() + "/health", .method = HttpMethod::get}).ok());
  while (server.connections() > 1) std::this_thread::yield();
  CHECK(slow.read_all().size() < much.size());
}

TEST_CASE("a connection above the most is answered 503 at once", "[net]") {
  HttpServer server({.max_connections = 1});
  EventFlag go;
  server.on("GET", "/wait", [&](HttpCall& call) {
    CHECK(call.await(go));
    call.reply(200, "done", "text/plain");
  });
  server.start();
  RawConnection first(server.port());
  first.send("GET /wait HTTP/1.1\r\n\r\n");
  while (server.connections() == 0) std::this_thread::yield();
  RawConnection second(server.port());
  second.send("GET /wait HTTP/1.1\r\n\r\n");  // which nobody reads
  CHECK_THAT(second.read_all(), ContainsSubstring("503") && ContainsSubstring("Retry-After: 1"));
  CHECK(server.refused_connections() == 1);
  go.raise();
  CHECK_THAT(first.read_until("done"), ContainsSubstring("200 OK"));
}

TEST_CASE("a handler that waits learns that its client has gone", "[net]") {
  HttpServer server;
  EventFlag never;
  std::atomic<bool> reached = false, gone = false;
  server.on("GET", "/wait", [&](HttpCall& call) {
    reached = true;
    gone = !call.await(never);
  });
  server.start();
  {
    RawConnection client(server.port());
    client.send("GET /wait HTTP/1.1\r\n\r\n");
    wait_for("the request", [&] { return reached.load(); });
  }
  wait_for("the news that the client has gone", [&] { return gone.load(); });
}

TEST_CASE("a streamed reply comes piece by piece, until its client has gone", "[net]") {
  HttpServer server;
  EventFlag taken;
  std::atomic<bool> gone = false;
  server.on("GET", "/stream", [&](HttpCall& call) {
    call.stream("text/event-stream", [&](HttpStream& out) {
      CHECK(out.send("data: 1\n\n"));
      while (taken.descriptor() >= 0 && out.send("data: 2\n\n")) continue;
      gone = true;
    });
  });
  server.start();
  {
    RawConnection client(server.port());
    client.send("GET /stream HTTP/1.1\r\n\r\n");
    CHECK_THAT(client.read_until("data: 2"),
               ContainsSubstring("text/event-stream") && ContainsSubstring("data: 1\n\n"));
  }
  wait_for("the news that the client has gone", [&] { return gone.load(); });
}

TEST_CASE("stop finishes what is answered and takes no more", "[net]") {
  HttpServer server;
  EventFlag go;
  std::atomic<bool> reached = false;
  server.on("GET", "/wait", [&](HttpCall& call) {
    reached = true;
    call.await(go);
    call.reply(200, "done", "text/plain");
  });
  server.start();
  RawConnection idle(server.port()), busy(server.port());
  busy.send("GET /wait HTTP/1.1\r\n\r\n");
  wait_for("the request", [&] { return reached.load(); });
  std::thread stop([&] { server.stop(); });
  CHECK(idle.read_all().empty());  // closed at once
  go.raise();
  CHECK_THAT(busy.read_all(), ContainsSubstring("done"));
  stop.join();
  HttpClient client;
  CHECK(client.fetch({.url = server.url() + "/wait", .method = HttpMethod::get}).failure ==
        HttpFailure::no_connection);
}

TEST_CASE("stop does not take requests that have come already", "[net]") {
  HttpServer server;
  EventFlag go;
  std::atomic<int> reached = 0;
  server.on("GET", "/wait", [&](HttpCall& call) {
    ++reached;
    call.await(go);
    call.reply(200, "done", "text/plain");
  });
  server.start();
  RawConnection busy(server.port());
  const std::string request = "GET /wait HTTP/1.1\r\n\r\n";
  busy.send(request + request + request);
  wait_for("the request", [&] { return reached > 0; });
  std::thread stop([&] { server.stop(); });
  wait_for("the end of listening", [&] { return !RawConnection::takes(server.port()); });
  go.raise();
  CHECK_THAT(busy.read_all(), ContainsSubstring("done"));
  stop.join();
  CHECK(reached == 1);
}

TEST_CASE("a stream that throws ends in its middle, and the next request is served", "[net]") {
  HttpServer server;
  server.on("GET", "/stream", [](HttpCall& call) {
    call.stream("text/event-stream", [](HttpStream& out) {
      out.send("data: 1\n\n");
      throw std::runtime_error("broken");
    });
  });
  server.on("GET", "/health", [](HttpCall& call) { call.reply(200, "ok", "text/plain"); });
  server.start();
  RawConnection streamed(server.port());
  streamed.send("GET /stream HTTP/1.1\r\n\r\n");
  const std::string reply = streamed.read_all();
  CHECK_THAT(reply, ContainsSubstring("data: 1"));
  CHECK(reply.find("\r\n0\r\n") == std::string::npos);  // no last chunk
  RawConnection next(server.port());
  next.send("GET /health HTTP/1.1\r\n\r\n");
  CHECK_THAT(next.read_until("ok"), ContainsSubstring("200 OK"));
}

TEST_CASE("a reply is counted before the client has it", "[net]") {
  HttpServer server;
  std::atomic<int> counted = 0;
  server.on("GET", "/health", [](HttpCall& call) { call.reply(200, "ok", "text/plain"); });
  server.on_reply([&](int status) { counted += status; });
  server.start();
  for (const auto& [path, sum] : {std::pair{"/health", 200}, {"/nothing", 604}}) {
    RawConnection client(server.port());
    client.send("GET " + std::string(path) + " HTTP/1.1\r\n\r\n");
    client.read_until("\r\n\r\n");
    CHECK(counted == sum);
  }
}

TEST_CASE("options that cannot be meant, and a port that is taken, are refused", "[net]") {
  const auto refused = [](HttpServerOptions options) {
    return error_of([&] { HttpServer server(std::move(options)); });
  };
  CHECK_THAT(refused({.host = "0.0.0.0"}), ContainsSubstring("has no token"));
  CHECK_THAT(refused({.token = "a b"}), ContainsSubstring("the token has a space"));
  CHECK_THAT(refused({.token = "a%41b"}), ContainsSubstring("a %"));
  CHECK_THAT(refused({.port = 65536}), ContainsSubstring("port is 65536"));
  CHECK_THAT(refused({.max_connections = 0}), ContainsSubstring("max_connections is 0"));
  CHECK_THAT(refused({.max_connections = 65537}), ContainsSubstring("max_connections is 65537"));
  CHECK_THAT(refused({.host = std::string("127.0.0.1\0.7", 12), .token = kToken}),
             ContainsSubstring("host has a NUL byte at byte 9"));
  CHECK_THAT(refused({.token = std::string("abc\0def", 7)}), ContainsSubstring("the token has"));
  CHECK_THAT(refused({.patience = {.read_seconds = 0}}), ContainsSubstring("read_seconds is 0"));
  CHECK_THAT(refused({.patience = {.idle_seconds = 1e10}}), ContainsSubstring("idle_seconds is"));
  CHECK_THAT(refused({.patience = {.read_seconds = 1e10}}), ContainsSubstring("read_seconds is"));
  CHECK_THAT(refused({.patience = {.write_seconds = 1e10}}), ContainsSubstring("write_seconds is"));
  CHECK_THAT(refused({.host = "", .token = "secret"}), ContainsSubstring("host is empty"));
  HttpServer server;
  server.start();
  HttpServer other({.port = server.port()});
  CHECK_THAT(error_of([&] { other.start(); }), ContainsSubstring("cannot listen on port"));
}

TEST_CASE("a burst of connections waits to be accepted", "[net]") {
  HttpServer server({.max_connections = 100});
  server.on("GET", "/health", [](HttpCall& call) { call.reply(200, "ok", "text/plain"); });
  server.start();
  std::vector<std::unique_ptr<RawConnection>> burst;  // faster than they can be accepted
  for (int i = 0; i < 100; ++i) burst.push_back(std::make_unique<RawConnection>(server.port()));
  for (const auto& one : burst) one->send("GET /health HTTP/1.1\r\n\r\n");
  for (const auto& one : burst) CHECK_THAT(one->read_until("ok"), ContainsSubstring("200 OK"));
}

TEST_CASE("a server is started once, and its paths have handlers", "[net]") {
  HttpServer server;
  CHECK_THAT(error_of([&] { server.on("GET", "/health", {}); }),
             ContainsSubstring("the handler of GET /health is empty"));
  server.start();
  const int port = server.port();
  CHECK_THAT(error_of([&] { server.start(); }), ContainsSubstring("was started before"));
  CHECK(server.port() == port);
  server.stop();
  CHECK_THAT(error_of([&] { server.start(); }), ContainsSubstring("was started before"));
}
