#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <sys/uio.h>

#include "pools/tls_context.hpp"

namespace tidemark::pools {

class TlsStream;
struct TlsWire;

/// A non-blocking stream socket, in the clear or encrypted: the one transport type of the data path. Owns the
/// descriptor. What the peer does not take at once is kept and sent later, in order; the caller bounds it by
/// not reading more from the other side while `blocked()`.
///
/// A receive that is shorter than its room has emptied the socket: whatever comes later is a new edge of the
/// descriptor. After one that has filled its room there may be more, which no edge tells of. That holds for
/// encrypted sockets, too, and so does all else that is said here: who uses a socket need not know which kind
/// it is.
class Socket {
 public:
  Socket();
  explicit Socket(int descriptor);
  ~Socket();
  Socket(Socket&& other) noexcept;
  Socket& operator=(Socket&& other) noexcept;

  struct Received {
    std::size_t bytes = 0;
    bool would_block = false;  ///< nothing there now
    bool closed = false;       ///< end of stream, or an error
  };
  /// One receive call; encrypted: as many as it takes to fill the room or empty the socket.
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

  /// How a TLS handshake goes on.
  struct Handshake {
    enum class Status : std::uint8_t {
      done,    ///< send, receive and the rest now mean what is inside the encryption
      again,   ///< call it again when the socket has become readable
      failed,  ///< `text` says why, for the log; close the socket. The peer has been told as TLS allows.
    };
    Status status = Status::again;
    std::string text;
  };
  /// From here on this is the server's side of a TLS connection. What was sent before goes out first and in
  /// the clear. `received`: bytes that were received already and belong to TLS; after an SSLRequest there
  /// must be none. To be followed by continue_handshake().
  void start_tls_server(std::shared_ptr<const TlsContext> context, std::string_view received = {});
  /// From here on this is the client's side. `host`: the server's name or address as configured.
  void start_tls_client(std::shared_ptr<const TlsContext> context, const std::string& host);
  /// To be called at once, and then for each edge until it is done or has failed; nothing may be sent or
  /// received in between. What it has to say is kept like anything sent: `blocked()`, `flush()`.
  [[nodiscard]] Handshake continue_handshake();
  [[nodiscard]] bool is_tls() const { return tls_ != nullptr; }
  /// Only once the handshake is done.
  [[nodiscard]] TlsPeer tls_peer() const;

  [[nodiscard]] int descriptor() const { return descriptor_; }
  [[nodiscard]] bool is_open() const { return descriptor_ >= 0; }
  /// Closes without waiting; tells an encrypted peer first if that is possible at once.
  void close();

 private:
  [[nodiscard]] TlsWire wire() const;

  int descriptor_ = -1;
  // Looking at what comes next may make TLS say something, which is kept like all else.
  mutable std::string kept_;
  mutable std::size_t sent_ = 0;
  std::unique_ptr<TlsStream> tls_;  ///< null: in the clear
};

/// Address of a node: a numeric IPv4 or IPv6 address, or the folder of a Unix socket.
struct SocketAddress {
  std::string host;
  std::uint16_t port = 0;
  std::string name{};  ///< the host as the operator wrote it: what its certificate must name
  [[nodiscard]] bool is_unix() const { return host.starts_with('/'); }
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
