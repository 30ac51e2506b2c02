#include "dualagent/collective/tcp_rendezvous.hpp"

#include <arpa/inet.h>

#include <exception>
#include <future>
#include <limits>

#include "support/catch.hpp"
#include "support/error_of.hpp"

using namespace dualagent;

namespace {

std::vector<std::byte> some_id() {
  std::vector<std::byte> id(128);
  for (std::size_t i = 0; i < id.size(); ++i) id[i] = static_cast<std::byte>(7 * i);
  return id;
}

/// What rank `rank` of `size` gets from 127.0.0.1.
std::future<std::vector<std::byte>> ask(std::uint16_t port, std::size_t rank, std::size_t size) {
  return std::async(std::launch::async, [=] {
    std::vector<std::byte> id(128);
    TcpRendezvous{"127.0.0.1", port, 60}.exchange(rank, size, id);
    return id;
  });
}

/// A connection that says `words` and then nothing.
detail::FileDescriptor stranger(std::uint16_t port, std::string_view words) {
  detail::FileDescriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) ==
          0);
  if (!words.empty())
    REQUIRE(::send(socket.get(), words.data(), words.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(words.size()));
  return socket;
}

}  // namespace

TEST_CASE("ranks get rank 0's bytes over TCP", "[collective]") {
  RendezvousListener listener(0);
  std::vector<std::future<std::vector<std::byte>>> asked;
  for (std::size_t rank = 1; rank < 4; ++rank) asked.push_back(ask(listener.port(), rank, 4));
  listener.serve(4, some_id(), 60);
  for (auto& one : asked) CHECK(one.get() == some_id());
}

TEST_CASE("ranks get all of many bytes, which no socket takes at once", "[collective]") {
  std::vector<std::byte> many(std::size_t{16} << 20U);
  for (std::size_t i = 0; i < many.size(); ++i) many[i] = static_cast<std::byte>(i * 7 >> 8U);
  RendezvousListener listener(0);
  std::vector<std::future<bool>> asked;
  for (std::size_t rank = 1; rank < 3; ++rank)
    asked.push_back(std::async(std::launch::async, [&many, rank, port = listener.port()] {
      std::vector<std::byte> bytes(many.size());
      TcpRendezvous{"127.0.0.1", port, 20}.exchange(rank, 3, bytes);
      return bytes == many;
    }));
  listener.serve(3, many, 20);
  for (auto& one : asked) CHECK(one.get());
}

TEST_CASE("a socket waits for as long as is left, and never not at all", "[collective]") {
  CHECK(detail::time_limit(2.5).tv_sec == 2);
  CHECK(detail::time_limit(2.5).tv_usec == 500'000);
  for (const double seconds : {0.0, 1e-9, 1e30, std::numeric_limits<double>::infinity()}) {
    const timeval limit = detail::time_limit(seconds);
    CHECK(limit.tv_sec >= 0);  // a negative one is none
    CHECK(limit.tv_usec >= 0);
    CHECK(limit.tv_usec < 1'000'000);
    CHECK((limit.tv_sec > 0 || limit.tv_usec > 0));  // 0 would be for ever
  }
}

TEST_CASE("a rank that the group does not have is refused at once", "[collective]") {
  std::vector<std::byte> id(128);
  CHECK_THAT(error_of([&] {
               TcpRendezvous{"127.0.0.1", 9, 0.05}.exchange(2, 2, id);
             }),
             ContainsSubstring("rank 2 is not in a group of 2"));
}

TEST_CASE("an address that the system would cut off is refused at once", "[collective]") {
  std::vector<std::byte> id(128);
  CHECK_THAT(error_of([&] {
               TcpRendezvous{std::string("127.0.0.1\0.7", 12), 9, 0.05}.exchange(1, 2, id);
             }),
             ContainsSubstring("address has a NUL byte at byte 9"));
}

TEST_CASE("silent and talkative strangers keep nobody waiting", "[collective]") {
  RendezvousListener listener(0);
  std::vector<detail::FileDescriptor> strangers;
  strangers.push_back(stranger(listener.port(), ""));
  strangers.push_back(stranger(listener.port(), "GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  strangers.push_back(stranger(listener.port(), "dualagnt"));
  stranger(listener.port(), "dual");  // and gone
  auto asked = ask(listener.port(), 1, 2);
  listener.serve(2, some_id(), 60);
  CHECK(asked.get() == some_id());
}

TEST_CASE("rank 0 names the ranks that did not come", "[collective]") {
  RendezvousListener listener(0);
  const detail::Hello hello = detail::hello_of(2, 4, 128);
  const auto rank_2 =
      stranger(listener.port(), {reinterpret_cast<const char*>(hello.data()), hello.size()});
  CHECK_THAT(error_of([&] { listener.serve(4, some_id(), 0.5); }),
             ContainsSubstring("for ranks 1 3") && ContainsSubstring("port"));
}

TEST_CASE("a rank that finds nobody says where it looked", "[collective]") {
  std::uint16_t port = 0;
  {
    RendezvousListener listener(0);
    port = listener.port();
  }  // closed: nobody listens
  std::vector<std::byte> id(128);
  CHECK_THAT(
      error_of([&] {
        TcpRendezvous{"127.0.0.1", port, 0.05}.exchange(1, 2, id);
      }),
      ContainsSubstring("127.0.0.1:" + std::to_string(port)) && ContainsSubstring("for rank 0"));
  CHECK_THAT(error_of([&] {
               TcpRendezvous{"", port, 1}.exchange(1, 2, id);
             }),
             ContainsSubstring("MASTER_ADDR"));
  RendezvousListener listener(0);
  CHECK_THAT(error_of([&] { RendezvousListener taken(listener.port()); }),
             ContainsSubstring("cannot bind") &&
                 ContainsSubstring("port " + std::to_string(listener.port())));
}
