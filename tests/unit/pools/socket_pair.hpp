#pragma once

#include <stdexcept>
#include <string>
#include <utility>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "pools/socket.hpp"

namespace tidemark::pools {

/// Two connected non-blocking sockets whose kernel buffers are small, so that a test can fill them.
inline std::pair<Socket, Socket> socket_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
    throw std::runtime_error("socketpair");
  }
  for (const int end : ends) {
    const int size = 4096;
    ::setsockopt(end, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  }
  return {Socket(ends[0]), Socket(ends[1])};
}

/// All that can be received now.
inline std::string receive_all(Socket& socket) {
  std::string out;
  char block[4096];
  for (;;) {
    const auto got = socket.receive(block, sizeof block);
    if (got.bytes == 0) return out;
    out.append(block, got.bytes);
  }
}

/// Port to which an IPv4 socket is bound.
inline std::uint16_t port_of(const Socket& socket) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  if (::getsockname(socket.descriptor(), reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  return ntohs(address.sin_port);
}

/// A port of the loopback address where every connection is refused while the socket lives.
struct RefusingPort {
  Socket socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  std::uint16_t port = 0;
  RefusingPort() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::bind(socket.descriptor(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      throw std::runtime_error("bind");
    }
    port = port_of(socket);
  }
};

}  // namespace tidemark::pools
