#include "dualagent/net/http_connection.hpp"

#include <array>
#include <string>
#include <thread>

#include "support/catch.hpp"

using namespace dualagent;

namespace {

/// Two ends of a connection within this process; a server's stream is at one of them.
struct Pair {
  explicit Pair(const HttpPatience& with = {.idle_seconds = 30, .read_seconds = 30})
      : patience(with) {
    std::array<int, 2> ends{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) == 0);
    client = ends[0];
    server.emplace(ends[1], patience, stopping);
  }
  ~Pair() {
    if (client >= 0) ::close(client);
  }
  void send(const std::string& bytes) const {
    REQUIRE(::send(client, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  }
  /// What one read gives; "none" where it fails.
  std::string read(std::size_t size) {
    std::string bytes(size, '\0');
    const ssize_t got = server->read(bytes.data(), size);
    return got < 0 ? "none" : bytes.substr(0, static_cast<std::size_t>(got));
  }
  void leave() { ::close(std::exchange(client, -1)); }

  HttpPatience patience;
  EventFlag stopping;
  int client = -1;
  std::optional<HttpConnection> server;
};

}  // namespace

TEST_CASE("a flag stays raised until it is lowered, however often it was raised", "[net]") {
  const EventFlag flag;
  CHECK(!flag.raised());
  flag.raise();
  flag.raise();
  CHECK(flag.raised());
  flag.lower();
  CHECK(!flag.raised());
  flag.lower();
  CHECK(!flag.raised());
}

TEST_CASE("a header has a limit and a body has none", "[net]") {
  Pair pair({.max_header_bytes = 6});
  pair.send("headerbody");
  REQUIRE(pair.server->await_request());
  CHECK(pair.server->in_header());
  CHECK(pair.read(4) == "head");
  CHECK(pair.read(4) == "er");
  CHECK(pair.read(4) == "none");
  pair.server->begin_body();
  CHECK(pair.read(9) == "body");
  pair.send("next");
  REQUIRE(pair.server->await_request());
  CHECK(pair.read(9) == "next");
}

TEST_CASE("bytes that came with one request begin the next", "[net]") {
  Pair pair;
  pair.send("onetwo");
  REQUIRE(pair.server->await_request());
  CHECK(pair.read(3) == "one");
  REQUIRE(pair.server->await_request());
  CHECK(pair.read(3) == "two");
}

TEST_CASE("waiting for bytes ends when time is up, the client leaves or the server stops",
          "[net]") {
  Pair idle({.idle_seconds = 0.01});
  CHECK(!idle.server->await_request());

  Pair slow({.idle_seconds = 30, .read_seconds = 0.01});
  slow.send("h");
  REQUIRE(slow.server->await_request());
  CHECK(slow.read(1) == "h");
  CHECK(slow.read(1) == "none");

  Pair left;
  left.leave();
  CHECK(!left.server->await_request());
  CHECK(left.server->client_gone());

  Pair stopped;
  std::thread stop([&] { stopped.stopping.raise(); });
  CHECK(!stopped.server->await_request());
  stop.join();
  stopped.send("the next request");
  CHECK(!stopped.server->await_request());
}

TEST_CASE("one waits for a flag or for the client to leave, whichever is first", "[net]") {
  Pair pair;
  const EventFlag flag;
  flag.raise();
  CHECK(pair.server->await(flag));
  flag.lower();
  CHECK(!pair.server->client_gone());
  std::thread leave([&] { pair.leave(); });
  CHECK(!pair.server->await(flag));
  leave.join();
}

TEST_CASE("a write that the client does not take ends in time", "[net]") {
  Pair pair({.write_seconds = 0.01});
  CHECK(pair.server->write("reply", 5) == 5);
  const std::string much(std::size_t{1} << 24U, 'x');
  CHECK(pair.server->write(much.data(), much.size()) == -1);
  pair.leave();
  CHECK(pair.server->write("reply", 5) == -1);  // and no SIGPIPE
}

TEST_CASE("a gentle close takes what the client still sends", "[net]") {
  Pair pair;
  pair.send("not read");
  std::thread client([&] {
    char byte = 0;
    CHECK(::recv(pair.client, &byte, 1, 0) == 0);  // told that nothing comes
    pair.leave();
  });
  pair.server->close_gently();
  client.join();
}
