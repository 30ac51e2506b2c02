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
#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/io/atomic_file.hpp"

namespace dualagent {

namespace detail {

[[noreturn]] void throw_socket_error(const std::string& operation, const std::string& where,
                                     int error_number);

/// What is left of a time-out.
class Deadline {
 public:
  explicit Deadline(double seconds);
  double seconds_left() const {
    return std::max(0.0, std::chrono::duration<double>(end_ - Clock::now()).count());
  }

 private:
  using Clock = std::chrono::steady_clock;
  std::chrono::time_point<Clock, std::chrono::duration<double>> end_;
};

/// The time-out of a socket, at least a millisecond: a socket takes 0 for no time-out at all.
timeval time_limit(double seconds);

/// What a peer says first: a word of ours, its rank, the number of ranks and of bytes it expects.
using Hello = std::array<unsigned char, 20>;

}  // namespace detail

/// Rank 0's end of a TcpRendezvous. Made before the others are told its port, it may choose one.
class RendezvousListener {
 public:
  /// Listens on all addresses of this host; port 0: any that is free. Errors: Error that names the
  /// port.
  explicit RendezvousListener(std::uint16_t port);

  std::uint16_t port() const;

  /// Hands the bytes to ranks 1 .. size - 1. Silent or foreign peers are ignored.
  /// Errors: Error that names the missing ranks after `timeout_seconds`.
  void serve(std::size_t size, std::span<const std::byte> bytes, double timeout_seconds);

 private:
  struct Peer {
    detail::FileDescriptor socket;
    detail::Hello hello{};
    std::size_t received = 0;  // of the hello
    std::size_t rank = 0;      // that it said; 0 before
    std::size_t sent = 0;      // of the bytes
    bool done = false;

    void go_on(std::size_t size, std::span<const std::byte> bytes, std::set<std::size_t>& served);
    void read(std::size_t size, std::size_t bytes);
    void write(std::span<const std::byte> bytes);
  };

  void bind_to(const sockaddr* address, socklen_t size, const std::string& where) {
    if (::bind(socket_.get(), address, size) != 0) detail::throw_socket_error("bind", where, errno);
  }

  /// At most `most` peers at a time; who came first goes first.
  void accept(std::vector<Peer>& peers, std::size_t most);

  [[noreturn]] void throw_missing(const std::set<std::size_t>& served, std::size_t size,
                                  double timeout_seconds) const;

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

  void exchange(std::size_t rank, std::size_t size, std::span<std::byte> bytes) const;

 private:
  void ask(std::size_t rank, std::size_t size, std::span<std::byte> bytes) const;

  /// One attempt; says what was wrong with it.
  bool try_to_ask(const detail::Hello& hello, std::span<std::byte> bytes,
                  const detail::Deadline& deadline, std::string& fault) const;

  static bool receive_all(int socket, std::span<std::byte> bytes);
};
static_assert(Rendezvous<const TcpRendezvous>);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/collective/tcp_rendezvous.inl"
#endif
