#pragma once

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstddef>
#include <stdexcept>
#include <string>

/// A client that sends and reads bytes as the test wants them, HTTP or not.
namespace raw_connection {

class RawConnection {
 public:
  explicit RawConnection(int port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval patience{.tv_sec = 120, .tv_usec = 0};  // what does not come by then is not there
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
      ::close(socket_);
      throw std::runtime_error("cannot connect");
    }
  }
  RawConnection(const RawConnection&) = delete;
  RawConnection& operator=(const RawConnection&) = delete;
  ~RawConnection() { ::close(socket_); }

  /// Whether somebody listens there.
  static bool takes(int port) try {
    const RawConnection connection(port);
    return true;
  } catch (const std::runtime_error&) {
    return false;
  }

  /// False: the other side has closed.
  bool send(const std::string& bytes) {
    std::size_t sent = 0;
    while (sent < bytes.size()) {
      const ssize_t now = ::send(socket_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (now <= 0) return false;
      sent += static_cast<std::size_t>(now);
    }
    return true;
  }
  /// Up to this many bytes that have come or come next; fewer or none where the other side closes.
  std::size_t read_some(std::size_t size) {
    std::string bytes(size, '\0');
    const ssize_t got = ::recv(socket_, bytes.data(), size, 0);
    return got > 0 ? static_cast<std::size_t>(got) : 0;
  }
  /// All that comes until the other side closes.
  std::string read_all() {
    while (more()) continue;
    return std::move(read_);
  }
  /// What comes until `mark` has come, or the other side closes.
  std::string read_until(const std::string& mark) {
    while (read_.find(mark) == std::string::npos && more()) continue;
    return std::exchange(read_, {});
  }

 private:
  bool more() {
    char buffer[65536];
    const ssize_t got = ::recv(socket_, buffer, sizeof(buffer), 0);
    if (got <= 0) return false;
    read_.append(buffer, static_cast<std::size_t>(got));
    return true;
  }

  int socket_;
  std::string read_;
};

}  // namespace raw_connection
