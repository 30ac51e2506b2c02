#pragma once

/// Definitions of tcp_rendezvous.hpp; see core/compiled.hpp.

#include "dualagent/collective/tcp_rendezvous.hpp"

namespace dualagent::detail {

DUALAGENT_INLINE void throw_socket_error(const std::string& operation, const std::string& where,
                                         int error_number) {
  throw Error("cannot " + operation + ": " + std::generic_category().message(error_number), where,
              "Check address and port, and that no other run uses them");
}

DUALAGENT_INLINE Deadline::Deadline(double seconds)
    : end_(Clock::now() + std::chrono::duration<double>(seconds)) {
  require_option(seconds, kNotNegativeOrInfinite, "timeout_seconds", "TcpRendezvous");
}

DUALAGENT_INLINE timeval time_limit(double seconds) {
  const double limited = std::clamp(seconds, 1e-3, kSeconds.high);
  timeval limit{};
  limit.tv_sec = static_cast<time_t>(limited);
  limit.tv_usec = static_cast<suseconds_t>((limited - std::floor(limited)) * 1e6);
  return limit;
}

inline Hello hello_of(std::size_t rank, std::size_t size, std::size_t bytes) {
  Hello hello{'d', 'u', 'a', 'l', 'a', 'g', 'n', 't'};
  const std::size_t numbers[] = {rank, size, bytes};
  for (std::size_t n = 0; n < 3; ++n)
    for (std::size_t i = 0; i < 4; ++i)
      hello[8 + 4 * n + i] = static_cast<unsigned char>(numbers[n] >> (8 * i));
  return hello;
}

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE RendezvousListener::RendezvousListener(std::uint16_t port)
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

DUALAGENT_INLINE std::uint16_t RendezvousListener::port() const {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.ss_family == AF_INET6
                   ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                   : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

DUALAGENT_INLINE void RendezvousListener::serve(std::size_t size, std::span<const std::byte> bytes,
                                                double timeout_seconds) {
  const detail::Deadline deadline(timeout_seconds);
  std::set<std::size_t> served;
  std::vector<Peer> peers;
  while (served.size() + 1 < size) {
    if (deadline.seconds_left() == 0.0) throw_missing(served, size, timeout_seconds);
    std::vector<pollfd> polled{{socket_.get(), POLLIN, 0}};
    for (const Peer& peer : peers)
      polled.push_back(
          {peer.socket.get(), static_cast<short>(peer.rank == 0 ? POLLIN : POLLOUT), 0});
    const double ms = std::min(1000.0, std::ceil(deadline.seconds_left() * 1e3));
    if (::poll(polled.data(), polled.size(), static_cast<int>(ms)) <= 0) continue;
    for (std::size_t i = 0; i < peers.size(); ++i)
      if (polled[i + 1].revents != 0) peers[i].go_on(size, bytes, served);
    std::erase_if(peers, [](const Peer& peer) { return peer.done; });
    if (polled[0].revents != 0) accept(peers, 16 + 2 * size);
  }
}

DUALAGENT_INLINE void RendezvousListener::Peer::go_on(std::size_t size,
                                                      std::span<const std::byte> bytes,
                                                      std::set<std::size_t>& served) {
  if (rank == 0) read(size, bytes.size());
  if (rank == 0) return;
  write(bytes);
  if (sent == bytes.size()) served.insert(rank);
}

DUALAGENT_INLINE void RendezvousListener::Peer::read(std::size_t size, std::size_t bytes) {
  const ssize_t count = ::recv(socket.get(), hello.data() + received, hello.size() - received, 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  done = count <= 0;
  received += done ? 0 : static_cast<std::size_t>(count);
  if (received < hello.size()) return;
  for (std::size_t one = 1; one < size; ++one)
    if (hello == detail::hello_of(one, size, bytes)) rank = one;
  done = rank == 0;
}

/// As much as the socket takes now.
DUALAGENT_INLINE void RendezvousListener::Peer::write(std::span<const std::byte> bytes) {
  while (sent < bytes.size()) {
    const ssize_t count =
        ::send(socket.get(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return;
    if (count < 0) break;
    sent += static_cast<std::size_t>(count);
  }
  done = true;
}

DUALAGENT_INLINE void RendezvousListener::accept(std::vector<Peer>& peers, std::size_t most) {
  for (;;) {
    detail::FileDescriptor socket(
        ::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (socket.get() < 0) return;
    if (peers.size() >= most) peers.erase(peers.begin());
    peers.push_back({std::move(socket)});
  }
}

DUALAGENT_INLINE void RendezvousListener::throw_missing(const std::set<std::size_t>& served,
                                                        std::size_t size,
                                                        double timeout_seconds) const {
  std::string missing;
  for (std::size_t rank = 1; rank < size; ++rank)
    if (!served.contains(rank)) missing += " " + std::to_string(rank);
  throw Error("waited " + std::to_string(timeout_seconds) + " s for ranks" + missing,
              "port " + std::to_string(port()),
              "Check that they were started with the same number of ranks and reach this host");
}

DUALAGENT_INLINE void TcpRendezvous::exchange(std::size_t rank, std::size_t size,
                                              std::span<std::byte> bytes) const {
  if (size <= 1) return;
  detail::require_rank(rank, size, "TcpRendezvous::exchange");
  require_no_nul(address, "address", "TcpRendezvous");
  if (port == 0 || (rank > 0 && address.empty()))
    throw Error("the address of rank 0 is not known", "TcpRendezvous",
                "Set MASTER_ADDR and MASTER_PORT, or give address and port");
  if (rank == 0)
    RendezvousListener(port).serve(size, bytes, timeout_seconds);
  else
    ask(rank, size, bytes);
}

DUALAGENT_INLINE void TcpRendezvous::ask(std::size_t rank, std::size_t size,
                                         std::span<std::byte> bytes) const {
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

DUALAGENT_INLINE bool TcpRendezvous::try_to_ask(const detail::Hello& hello,
                                                std::span<std::byte> bytes,
                                                const detail::Deadline& deadline,
                                                std::string& fault) const {
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  const int status = getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (status != 0) return fault = gai_strerror(status), false;
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> list(found, freeaddrinfo);
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    const detail::FileDescriptor socket(
        ::socket(one->ai_family, one->ai_socktype | SOCK_CLOEXEC, one->ai_protocol));
    if (socket.get() < 0) continue;
    const timeval limit = detail::time_limit(deadline.seconds_left());
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

DUALAGENT_INLINE bool TcpRendezvous::receive_all(int socket, std::span<std::byte> bytes) {
  for (std::size_t received = 0; received < bytes.size();) {
    const ssize_t count = ::recv(socket, bytes.data() + received, bytes.size() - received, 0);
    if (count < 0 && errno == EINTR) continue;
    if (count == 0) errno = 0;
    if (count <= 0) return false;
    received += static_cast<std::size_t>(count);
  }
  return true;
}

}  // namespace dualagent
