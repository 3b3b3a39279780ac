#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <sys/uio.h>

namespace tidemark::pools {

/// A non-blocking stream socket: the one transport type of the data path. Owns the descriptor. What the peer
/// does not take at once is kept and sent later, in order; the caller bounds it by not reading more from the
/// other side while `blocked()`.
class Socket {
 public:
  Socket() = default;
  explicit Socket(int descriptor) : descriptor_(descriptor) {}
  ~Socket() { close(); }
  Socket(Socket&& other) noexcept;
  Socket& operator=(Socket&& other) noexcept;

  struct Received {
    std::size_t bytes = 0;
    bool would_block = false;  ///< nothing there now
    bool closed = false;       ///< end of stream, or an error
  };
  /// One receive call.
  [[nodiscard]] Received receive(char* data, std::size_t size);

  /// The next byte without taking it: the byte, -1 at the end of the stream or on an error, -2 when nothing
  /// is there.
  [[nodiscard]] int peek() const;

  /// Sends, or keeps for later. False when the connection is broken.
  [[nodiscard]] bool send(std::string_view bytes);
  /// The same for a gathered message; modifies `parts`.
  [[nodiscard]] bool send(iovec* parts, std::size_t count);
  /// Sends what was kept. False when the connection is broken.
  [[nodiscard]] bool flush();
  /// Something is kept that the peer has not taken.
  [[nodiscard]] bool blocked() const { return sent_ < kept_.size(); }

  [[nodiscard]] int descriptor() const { return descriptor_; }
  [[nodiscard]] bool is_open() const { return descriptor_ >= 0; }
  void close();

 private:
  int descriptor_ = -1;
  std::string kept_;
  std::size_t sent_ = 0;
};

/// Address of a node: a numeric IPv4 or IPv6 address, or the folder of a Unix socket.
struct SocketAddress {
  std::string host;
  std::uint16_t port = 0;
};

/// Starts to connect. The socket is closed when the address is invalid or the system refuses at once; else it
/// becomes writable, or broken, later (`connect_error`).
[[nodiscard]] Socket start_connect(const SocketAddress& address);
/// errno of a connection attempt that has ended; 0 when it succeeded.
[[nodiscard]] int connect_error(const Socket& socket);

/// Listens on `host` (numeric, or "localhost" or "*") and `port`. Throws std::system_error, whose text names
/// the address (start-up only).
[[nodiscard]] Socket listen_on(const std::string& host, std::uint16_t port);
/// Accepts one connection, non-blocking; a closed socket when there is none.
[[nodiscard]] Socket accept_from(const Socket& listener);

}  // namespace tidemark::pools
