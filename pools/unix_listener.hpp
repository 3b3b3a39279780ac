#pragma once

#include <cstdint>
#include <filesystem>

#include "pools/socket.hpp"

namespace tidemark::pools {

/// Listens on the Unix-domain socket `<folder>/.s.PGSQL.<port>`, the name that clients look for. A socket
/// that a dead process left is replaced, one that somebody listens on is not. Removes the socket when
/// destroyed.
class UnixListener {
 public:
  /// `mode`: permissions of the socket, of which the right to write is the right to connect. Throws
  /// std::runtime_error or std::system_error, whose text names the path (start-up only, while there is one
  /// thread).
  UnixListener(const std::filesystem::path& folder, std::uint16_t port, std::uint32_t mode);
  ~UnixListener();
  UnixListener(const UnixListener&) = delete;
  UnixListener& operator=(const UnixListener&) = delete;

  [[nodiscard]] const Socket& socket() const { return socket_; }

 private:
  std::filesystem::path path_;
  std::filesystem::path lock_path_;
  int lock_ = -1;  ///< held for as long as the socket is ours
  Socket socket_;
};

}  // namespace tidemark::pools
