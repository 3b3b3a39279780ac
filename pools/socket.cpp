#include "pools/socket.hpp"

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "pools/tls_stream.hpp"

namespace tidemark::pools {

namespace {

/// A large buffer that once held a slow peer's bytes is given back when it has drained.
constexpr std::size_t kKeptCapacity = 1024;

struct RawAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  [[nodiscard]] int family() const { return storage.ss_family; }
};

bool to_raw(const std::string& host, std::uint16_t port, RawAddress& out) {
  if (!host.empty() && host.front() == '/') {
    auto* address = reinterpret_cast<sockaddr_un*>(&out.storage);
    const std::string path = host + "/.s.PGSQL." + std::to_string(port);
    if (path.size() >= sizeof address->sun_path) return false;
    address->sun_family = AF_UNIX;
    std::memcpy(address->sun_path, path.c_str(), path.size() + 1);
    out.size = sizeof *address;
    return true;
  }
  auto* v4 = reinterpret_cast<sockaddr_in*>(&out.storage);
  if (::inet_pton(AF_INET, host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    out.size = sizeof *v4;
    return true;
  }
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&out.storage);
  if (::inet_pton(AF_INET6, host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    out.size = sizeof *v6;
    return true;
  }
  return false;
}

void set_option(int descriptor, int level, int name, int value) {
  ::setsockopt(descriptor, level, name, &value, sizeof value);
}

void tune_stream(int descriptor, int family) {
  if (family == AF_UNIX) return;
  set_option(descriptor, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1);
}

}  // namespace

Socket::Socket() = default;
Socket::Socket(int descriptor) : descriptor_(descriptor) {}
Socket::~Socket() {
  close();
}

Socket::Socket(Socket&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      kept_(std::move(other.kept_)),
      sent_(std::exchange(other.sent_, 0)),
      tls_(std::move(other.tls_)) {
  other.kept_.clear();
}

Socket& Socket::operator=(Socket&& other) noexcept {
  if (this != &other) {
    close();
    descriptor_ = std::exchange(other.descriptor_, -1);
    kept_ = std::move(other.kept_);
    other.kept_.clear();
    sent_ = std::exchange(other.sent_, 0);
    tls_ = std::move(other.tls_);
  }
  return *this;
}

void Socket::close() {
  if (tls_) {
    tls_->say_goodbye(wire());
    tls_.reset();
  }
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
  kept_.clear();
  sent_ = 0;
}

TlsWire Socket::wire() const {
  return {descriptor_, &kept_, &sent_};
}

void Socket::start_tls_server(std::shared_ptr<const TlsContext> context, std::string_view received) {
  tls_ = std::make_unique<TlsStream>(std::move(context), received, nullptr);
}

void Socket::start_tls_client(std::shared_ptr<const TlsContext> context, const std::string& host) {
  tls_ = std::make_unique<TlsStream>(std::move(context), std::string_view{}, &host);
}

Socket::Handshake Socket::continue_handshake() {
  return tls_->continue_handshake(wire());
}

TlsPeer Socket::tls_peer() const {
  return tls_->peer();
}

Socket::Received Socket::receive(char* data, std::size_t size) {
  if (tls_) [[unlikely]]
    return tls_->receive(wire(), data, size);
  for (;;) {
    const ssize_t got = ::recv(descriptor_, data, size, 0);
    if (got > 0) return {.bytes = static_cast<std::size_t>(got)};
    if (got == 0) return {.closed = true};
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return {.would_block = true};
    return {.closed = true};
  }
}

int Socket::peek() const {
  if (tls_) [[unlikely]]
    return tls_->peek(wire());
  unsigned char byte = 0;
  const ssize_t got = ::recv(descriptor_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (got > 0) return byte;
  return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) ? -2 : -1;
}

bool Socket::send(std::string_view bytes) {
  if (tls_) [[unlikely]]
    return tls_->send(wire(), bytes);
  if (blocked()) {
    kept_.append(bytes);
    return true;
  }
  while (!bytes.empty()) {
    const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) return false;
      kept_.assign(bytes);
      sent_ = 0;
      return true;
    }
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool Socket::send(iovec* parts, std::size_t count) {
  if (count == 1) return send(std::string_view(static_cast<const char*>(parts->iov_base), parts->iov_len));
  if (tls_) [[unlikely]]
    return tls_->send(wire(), parts, count);
  if (!blocked()) {
    msghdr message{};
    while (count > 0) {
      message.msg_iov = parts;
      message.msg_iovlen = count;
      const ssize_t sent = ::sendmsg(descriptor_, &message, MSG_NOSIGNAL);
      if (sent < 0) {
        if (errno == EINTR) continue;
        if (errno != EAGAIN && errno != EWOULDBLOCK) return false;
        break;
      }
      auto left = static_cast<std::size_t>(sent);
      while (count > 0 && left >= parts->iov_len) {
        left -= parts->iov_len;
        ++parts;
        --count;
      }
      if (count > 0) {
        parts->iov_base = static_cast<char*>(parts->iov_base) + left;
        parts->iov_len -= left;
      }
    }
  }
  for (; count > 0; ++parts, --count) kept_.append(static_cast<const char*>(parts->iov_base), parts->iov_len);
  return true;
}

bool Socket::flush() {
  while (sent_ < kept_.size()) {
    const ssize_t sent = ::send(descriptor_, kept_.data() + sent_, kept_.size() - sent_, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      return errno == EAGAIN || errno == EWOULDBLOCK;
    }
    sent_ += static_cast<std::size_t>(sent);
  }
  sent_ = 0;
  if (kept_.capacity() > kKeptCapacity) {
    std::string().swap(kept_);
  } else {
    kept_.clear();
  }
  return true;
}

Socket start_connect(const SocketAddress& address) {
  RawAddress raw;
  if (!to_raw(address.host, address.port, raw)) return {};
  Socket socket(::socket(raw.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.is_open()) return {};
  tune_stream(socket.descriptor(), raw.family());
  if (::connect(socket.descriptor(), raw.get(), raw.size) != 0 && errno != EINPROGRESS) return {};
  return socket;
}

int connect_error(const Socket& socket) {
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(socket.descriptor(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
  return error;
}

Socket listen_on(const std::string& host, std::uint16_t port) {
  const std::string numeric = host == "localhost" ? "127.0.0.1" : host == "*" ? "0.0.0.0" : host;
  const std::string where = host + ":" + std::to_string(port);
  RawAddress raw;
  if (!to_raw(numeric, port, raw) || raw.family() == AF_UNIX) {
    throw std::runtime_error("cannot listen on " + where + ": not a numeric address, \"localhost\" or \"*\"");
  }
  Socket socket(::socket(raw.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.is_open()) throw std::system_error(errno, std::generic_category(), "socket");
  set_option(socket.descriptor(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (::bind(socket.descriptor(), raw.get(), raw.size) != 0) {
    throw std::system_error(errno, std::generic_category(), "cannot listen on " + where);
  }
  if (::listen(socket.descriptor(), 4096) != 0) {
    throw std::system_error(errno, std::generic_category(), "cannot listen on " + where);
  }
  return socket;
}

Socket accept_from(const Socket& listener) {
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  const int descriptor = ::accept4(listener.descriptor(), reinterpret_cast<sockaddr*>(&peer), &size,
                                   SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (descriptor < 0) return {};
  tune_stream(descriptor, peer.ss_family);
  return Socket(descriptor);
}

}  // namespace tidemark::pools
