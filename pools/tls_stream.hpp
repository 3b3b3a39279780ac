#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "pools/socket.hpp"
#include "pools/tls_context.hpp"

// OpenSSL's own struct tags; its headers are included in the .cpp only.
struct bio_st;
struct ssl_st;

namespace tidemark::pools {

/// What a TlsStream needs of its socket, for the length of a call.
struct TlsWire {
  int descriptor;
  std::string* kept;
  std::size_t* sent;
};

/// The encryption inside a Socket: turns its bytes into TLS records and back. It never waits for the peer to
/// take something: records go to the descriptor, and what that does not take goes behind what the socket
/// already keeps. So writing while reading (a key update, an alert) and the rules for repeated writes need no
/// care of their own. One thread.
class TlsStream {
 public:
  /// `received`: what has come already. `host`: to be checked in the server's certificate; null for the
  /// server's side.
  TlsStream(std::shared_ptr<const TlsContext> context, std::string_view received, const std::string* host);
  ~TlsStream();
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  [[nodiscard]] Socket::Handshake continue_handshake(const TlsWire& wire);
  /// Fills the room or empties the socket.
  [[nodiscard]] Socket::Received receive(const TlsWire& wire, char* data, std::size_t size);
  /// As Socket::peek.
  [[nodiscard]] int peek(const TlsWire& wire);
  /// False when the connection is broken.
  [[nodiscard]] bool send(const TlsWire& wire, std::string_view bytes);
  /// The same for several pieces, in as few records as they fit in.
  [[nodiscard]] bool send(const TlsWire& wire, const iovec* parts, std::size_t count);
  /// close_notify, if the descriptor takes it at once.
  void say_goodbye(const TlsWire& wire);
  [[nodiscard]] TlsPeer peer() const;

 private:
  friend struct TlsBio;  // OpenSSL's reads and writes

  [[nodiscard]] bool write(std::string_view bytes);
  void note_end();
  [[nodiscard]] std::string failure() const;

  std::shared_ptr<const TlsContext> context_;
  ssl_st* ssl_ = nullptr;
  std::string host_;      ///< the server's; empty on the server's side
  std::string received_;  ///< before TLS began; empty once it was taken
  bool server_;
  bool established_ = false;
  bool ended_ = false;   ///< nothing will be received any more
  bool broken_ = false;  ///< nor can anything be sent

  // For the length of a call.
  const TlsWire* wire_ = nullptr;
  bool reading_ = false;
  bool drained_ = false;  ///< the descriptor was emptied
  bool cut_off_ = false;  ///< the descriptor's stream has ended
  std::size_t said_ = 0;  ///< bytes that reading made us keep
};

}  // namespace tidemark::pools
