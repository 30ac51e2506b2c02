#pragma once

/// Needs cpp-httplib: link the CMake target dualagent::http_server. Not part of the umbrella.

#include <arpa/inet.h>
#include <httplib.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "dualagent/core/error.hpp"

namespace dualagent {

/// A flag that threads can sleep on together with sockets: once raised, its file descriptor is
/// readable until it is lowered. Thread-safe. Errors: Error where the process has no descriptors
/// left.
class EventFlag {
 public:
  EventFlag() : descriptor_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (descriptor_ < 0)
      throw Error("no file descriptor is left", "EventFlag", "Raise the limit: ulimit -n");
  }
  EventFlag(const EventFlag&) = delete;
  EventFlag& operator=(const EventFlag&) = delete;
  ~EventFlag() { ::close(descriptor_); }

  int descriptor() const { return descriptor_; }
  bool raised() const {
    pollfd look{descriptor_, POLLIN, 0};
    return ::poll(&look, 1, 0) > 0;
  }
  void raise() const {
    const std::uint64_t one = 1;
    static_cast<void>(::write(descriptor_, &one, sizeof(one)) < 0);  // full: it is raised already
  }
  void lower() const {
    std::uint64_t count = 0;
    static_cast<void>(::read(descriptor_, &count, sizeof(count)) < 0);  // empty: it is lowered
  }

 private:
  int descriptor_;
};

/// What a client may take its time with.
struct HttpPatience {
  double idle_seconds = 60;              ///< between two requests on one connection
  double read_seconds = 30;              ///< of a request, from its first byte to its last
  double write_seconds = 30;             ///< of a reply, or of one piece of a streamed one
  std::size_t max_header_bytes = 16384;  ///< request line and headers together
};

/// The server's side of one connection: a stream for cpp-httplib whose reads and writes have
/// deadlines, so that no client holds a thread for longer, however slowly it sends or takes bytes.
/// What is read before `begin_body` is counted and limited.
///
/// Owns the socket. One thread uses it. A read ends at once when `stopping` is raised.
/// Members do not say override: cpp-httplib's versions differ in what a stream has.
class HttpConnection final : public httplib::Stream {
 public:
  using Clock = std::chrono::steady_clock;

  HttpConnection(int socket, const HttpPatience& patience, const EventFlag& stopping)
      : socket_(socket), patience_(patience), stopping_(stopping) {
    const int yes = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
  }
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;
  ~HttpConnection() { ::close(socket_); }

  /// Sleeps until a request begins; false: the client closed, was idle for too long, or the server
  /// stops, even where the bytes of one are there. The time for reading begins with the first byte.
  bool await_request() {
    read_until_ = after(patience_.idle_seconds);
    if ((at_ == filled_ && !fill()) || stopping_.raised()) return false;
    read_until_ = after(patience_.read_seconds);
    header_left_ = patience_.max_header_bytes;
    return true;
  }
  /// From now on reads are of a body, which is limited elsewhere.
  void begin_body() { header_left_.reset(); }
  bool in_header() const { return header_left_.has_value(); }

  /// Whether the client has closed its side, or the connection broke.
  bool client_gone() const {
    pollfd look{socket_, POLLRDHUP, 0};
    return ::poll(&look, 1, 0) > 0;
  }

  /// Sleeps until the flag is raised (true) or the client has gone (false).
  bool await(const EventFlag& flag) const {
    std::array<pollfd, 2> looks{{{flag.descriptor(), POLLIN, 0}, {socket_, POLLRDHUP, 0}}};
    while (::poll(looks.data(), looks.size(), -1) < 0 && errno == EINTR) continue;
    return looks[0].revents != 0;
  }

  /// Tells the client that nothing more comes, and takes what it still sends for a moment, so that
  /// it can read the last reply: closing with unread bytes would make its system throw that away.
  void close_gently() {
    ::shutdown(socket_, SHUT_WR);
    read_until_ = after(std::min(patience_.read_seconds, 1.0));
    for (std::size_t taken = 0; taken < kTakenBytes && fill();) taken += filled_;
  }

  bool is_readable() const { return at_ < filled_ || ready(POLLIN, 0); }
  bool is_writable() const { return ready(POLLOUT, 0) && !client_gone(); }
  ssize_t read(char* to, std::size_t size) {
    if (header_left_) {
      if (*header_left_ == 0) return -1;
      size = std::min(size, *header_left_);
    }
    if (at_ == filled_ && !fill()) return -1;
    const std::size_t taken = std::min(size, filled_ - at_);
    std::copy_n(buffer_.data() + at_, taken, to);
    at_ += taken;
    if (header_left_) *header_left_ -= taken;
    return static_cast<ssize_t>(taken);
  }
  /// All of it, or -1.
  ssize_t write(const char* from, std::size_t size) {
    const Clock::time_point until = after(patience_.write_seconds);
    for (std::size_t sent = 0; sent < size;) {
      const ssize_t now = ::send(socket_, from + sent, size - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (now > 0)
        sent += static_cast<std::size_t>(now);
      else if ((errno != EAGAIN && errno != EINTR) || !ready(POLLOUT, left(until)))
        return -1;
    }
    return static_cast<ssize_t>(size);
  }
  using httplib::Stream::write;

  void get_remote_ip_and_port(std::string& ip, int& port) const { name(::getpeername, ip, port); }
  void get_local_ip_and_port(std::string& ip, int& port) const { name(::getsockname, ip, port); }
  socket_t socket() const { return socket_; }
  bool wait_readable() const { return true; }  // of later versions: `read` waits
  bool wait_writable() const { return true; }
  time_t duration() const { return 0; }

 private:
  static constexpr std::size_t kTakenBytes = std::size_t{1} << 20U;  // of what is thrown away

  static Clock::time_point after(double seconds) {
    return Clock::now() +
           std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  }
  /// Milliseconds, for poll.
  static int left(Clock::time_point until) {
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(ms, 0, 1'000'000'000));
  }
  bool ready(short events, int milliseconds) const {
    pollfd look{socket_, events, 0};
    int found = 0;
    do found = ::poll(&look, 1, milliseconds);
    while (found < 0 && errno == EINTR);
    return found > 0 && (look.revents & events) != 0;
  }

  bool fill() {
    at_ = filled_ = 0;
    std::array<pollfd, 2> looks{{{socket_, POLLIN, 0}, {stopping_.descriptor(), POLLIN, 0}}};
    int found = 0;
    do found = ::poll(looks.data(), looks.size(), left(read_until_));
    while (found < 0 && errno == EINTR);
    if (found <= 0 || looks[0].revents == 0) return false;
    const ssize_t got = ::recv(socket_, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (got <= 0) return false;
    filled_ = static_cast<std::size_t>(got);
    return true;
  }

  template <class Ask>
  void name(Ask ask, std::string& ip, int& port) const {
    sockaddr_in address{};
    socklen_t size = sizeof(address);
    std::array<char, INET_ADDRSTRLEN> text{};
    if (ask(socket_, reinterpret_cast<sockaddr*>(&address), &size) != 0 ||
        address.sin_family != AF_INET ||
        ::inet_ntop(AF_INET, &address.sin_addr, text.data(), text.size()) == nullptr)
      return;
    ip = text.data();
    port = ntohs(address.sin_port);
  }

  int socket_;
  const HttpPatience& patience_;
  const EventFlag& stopping_;
  std::array<char, 16384> buffer_;
  std::size_t at_ = 0, filled_ = 0;
  Clock::time_point read_until_ = {};
  std::optional<std::size_t> header_left_;
};

}  // namespace dualagent
