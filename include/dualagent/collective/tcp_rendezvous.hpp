#pragma once

#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "dualagent/collective/rendezvous.hpp"
#include "dualagent/core/check.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/io/atomic_file.hpp"

namespace dualagent {

namespace detail {

[[noreturn]] inline void throw_socket_error(const std::string& operation, const std::string& where,
                                            int error_number) {
  throw Error("cannot " + operation + ": " + std::generic_category().message(error_number), where,
              "Check address and port, and that no other run uses them");
}

/// What is left of a time-out.
class Deadline {
 public:
  explicit Deadline(double seconds) : end_(Clock::now() + std::chrono::duration<double>(seconds)) {
    require_option(seconds, kNotNegativeOrInfinite, "timeout_seconds", "TcpRendezvous");
  }
  double seconds_left() const {
    return std::max(0.0, std::chrono::duration<double>(end_ - Clock::now()).count());
  }

 private:
  using Clock = std::chrono::steady_clock;
  std::chrono::time_point<Clock, std::chrono::duration<double>> end_;
};

/// What a peer says first: a word of ours, its rank, the number of ranks and of bytes it expects.
using Hello = std::array<unsigned char, 20>;
inline Hello hello_of(std::size_t rank, std::size_t size, std::size_t bytes) {
  Hello hello{'d', 'u', 'a', 'l', 'a', 'g', 'n', 't'};
  const std::size_t numbers[] = {rank, size, bytes};
  for (std::size_t n = 0; n < 3; ++n)
    for (std::size_t i = 0; i < 4; ++i)
      hello[8 + 4 * n + i] = static_cast<unsigned char>(numbers[n] >> (8 * i));
  return hello;
}

}  // namespace detail

/// Rank 0's end of a TcpRendezvous. Made before the others are told its port, it may choose one.
class RendezvousListener {
 public:
  /// Listens on all addresses of this host; port 0: any that is free. Errors: Error that names the
  /// port.
  explicit RendezvousListener(std::uint16_t port)
      : socket_(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    const std::string where = "port " + std::to_string(port);
    if (socket_.get() >= 0) {
      const int off = 0, on = 1;
      setsockopt(socket_.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
      setsockopt(socket_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
      sockaddr_in6 address{};
      address.sin6_family = AF_INET6;
      address.sin6_port = htons(port);
      bind_to(reinterpret_cast<const sockaddr*>(&address), sizeof address, where);
    } else {  // a host without IPv6
      socket_ =
          detail::FileDescriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      if (socket_.get() < 0) detail::throw_socket_error("make a socket", where, errno);
      const int on = 1;
      setsockopt(socket_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_port = htons(port);
      bind_to(reinterpret_cast<const sockaddr*>(&address), sizeof address, where);
    }
    if (::listen(socket_.get(), SOMAXCONN) != 0) detail::throw_socket_error("listen", where, errno);
  }

  std::uint16_t port() const {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    return ntohs(address.ss_family == AF_INET6
                     ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                     : reinterpret_cast<const sockaddr_in&>(address).sin_port);
  }

  /// Hands the bytes to ranks 1 .. size - 1. Silent or foreign peers are ignored.
  /// Errors: Error that names the missing ranks after `timeout_seconds`.
  void serve(std::size_t size, std::span<const std::byte> bytes, double timeout_seconds) {
    const detail::Deadline deadline(timeout_seconds);
    std::set<std::size_t> served;
    std::vector<Peer> peers;
    while (served.size() + 1 < size) {
      if (deadline.seconds_left() == 0.0) throw_missing(served, size, timeout_seconds);
      std::vector<pollfd> polled{{socket_.get(), POLLIN, 0}};
      for (const Peer& peer : peers) polled.push_back({peer.socket.get(), POLLIN, 0});
      const double ms = std::min(1000.0, std::ceil(deadline.seconds_left() * 1e3));
      if (::poll(polled.data(), polled.size(), static_cast<int>(ms)) <= 0) continue;
      for (std::size_t i = 0; i < peers.size(); ++i)
        if (polled[i + 1].revents != 0) peers[i].read(size, bytes, served);
      std::erase_if(peers, [](const Peer& peer) { return peer.done; });
      if (polled[0].revents != 0) accept(peers, 16 + 2 * size);
    }
  }

 private:
  struct Peer {
    detail::FileDescriptor socket;
    detail::Hello hello{};
    std::size_t received = 0;
    bool done = false;

    void read(std::size_t size, std::span<const std::byte> bytes, std::set<std::size_t>& served) {
      const ssize_t count =
          ::recv(socket.get(), hello.data() + received, hello.size() - received, 0);
      if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
      done = count <= 0;
      received += done ? 0 : static_cast<std::size_t>(count);
      if (received < hello.size()) return;
      done = true;
      for (std::size_t rank = 1; rank < size; ++rank)
        if (hello == detail::hello_of(rank, size, bytes.size()) &&
            ::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
                static_cast<ssize_t>(bytes.size()))
          served.insert(rank);
    }
  };

  void bind_to(const sockaddr* address, socklen_t size, const std::string& where) {
    if (::bind(socket_.get(), address, size) != 0) detail::throw_socket_error("bind", where, errno);
  }

  /// At most `most` peers at a time; who came first goes first.
  void accept(std::vector<Peer>& peers, std::size_t most) {
    for (;;) {
      detail::FileDescriptor socket(
          ::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (socket.get() < 0) return;
      if (peers.size() >= most) peers.erase(peers.begin());
      peers.push_back({std::move(socket)});
    }
  }

  [[noreturn]] void throw_missing(const std::set<std::size_t>& served, std::size_t size,
                                  double timeout_seconds) const {
    std::string missing;
    for (std::size_t rank = 1; rank < size; ++rank)
      if (!served.contains(rank)) missing += " " + std::to_string(rank);
    throw Error("waited " + std::to_string(timeout_seconds) + " s for ranks" + missing,
                "port " + std::to_string(port()),
                "Check that they were started with the same number of ranks and reach this host");
  }

  detail::FileDescriptor socket_;
};

/// A rendezvous over TCP: rank 0 listens on `port`, the others find it at `address`.
///
/// Errors: Error that names address and port if they cannot be used, or after `timeout_seconds`.
/// Whoever reaches the port can read the bytes or keep a rank waiting: use it in a trusted network.
/// Example: const LaunchedRank me = rank_from_environment();
///          TcpRendezvous{me.address, me.port}.exchange(me.rank, me.size, id)
struct TcpRendezvous {
  std::string address;  ///< a name or number of rank 0's host
  std::uint16_t port = 0;
  double timeout_seconds = 300;

  void exchange(std::size_t rank, std::size_t size, std::span<std::byte> bytes) const {
    if (size <= 1) return;
    if (port == 0 || (rank > 0 && address.empty()))
      throw Error("the address of rank 0 is not known", "TcpRendezvous",
                  "Set MASTER_ADDR and MASTER_PORT, or give address and port");
    if (rank == 0)
      RendezvousListener(port).serve(size, bytes, timeout_seconds);
    else
      ask(rank, size, bytes);
  }

 private:
  void ask(std::size_t rank, std::size_t size, std::span<std::byte> bytes) const {
    const std::string where = address + ":" + std::to_string(port);
    const detail::Deadline deadline(timeout_seconds);
    std::string fault = "nobody answered";
    while (!try_to_ask(detail::hello_of(rank, size, bytes.size()), bytes, deadline, fault)) {
      if (deadline.seconds_left() == 0.0)
        throw Error("waited " + std::to_string(timeout_seconds) + " s for rank 0: " + fault, where,
                    "Check that rank 0 runs there and that the port is open");
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }

  /// One attempt; says what was wrong with it.
  bool try_to_ask(const detail::Hello& hello, std::span<std::byte> bytes,
                  const detail::Deadline& deadline, std::string& fault) const {
    addrinfo hints{}, *found = nullptr;
    hints.ai_socktype = SOCK_STREAM;
    const int status = getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &found);
    if (status != 0) return fault = gai_strerror(status), false;
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> list(found, freeaddrinfo);
    for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
      const detail::FileDescriptor socket(
          ::socket(one->ai_family, one->ai_socktype | SOCK_CLOEXEC, one->ai_protocol));
      if (socket.get() < 0) continue;
      const double left = std::max(deadline.seconds_left(), 1e-3);
      timeval limit{};
      limit.tv_sec = static_cast<time_t>(left);
      limit.tv_usec = static_cast<suseconds_t>((left - std::floor(left)) * 1e6);
      setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
      setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
      if (::connect(socket.get(), one->ai_addr, one->ai_addrlen) == 0 &&
          ::send(socket.get(), hello.data(), hello.size(), MSG_NOSIGNAL) ==
              static_cast<ssize_t>(hello.size()) &&
          receive_all(socket.get(), bytes))
        return true;
      fault = errno == 0 ? "rank 0 does not know this rank or number of ranks"
                         : std::generic_category().message(errno);
    }
    return false;
  }

  static bool receive_all(int socket, std::span<std::byte> bytes) {
    for (std::size_t received = 0; received < bytes.size();) {
      const ssize_t count = ::recv(socket, bytes.data() + received, bytes.size() - received, 0);
      if (count < 0 && errno == EINTR) continue;
      if (count == 0) errno = 0;
      if (count <= 0) return false;
      received += static_cast<std::size_t>(count);
    }
    return true;
  }
};
static_assert(Rendezvous<const TcpRendezvous>);

}  // namespace dualagent
