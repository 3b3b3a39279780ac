#include "pools/tls_stream.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include "pools/tls_certificate.hpp"

namespace tidemark::pools {

namespace {

/// The most that one TLS record holds (RFC 8446, section 5.1).
constexpr std::size_t kRecord = 16 * 1024;

/// What a peer that takes nothing may make us say while we read from it: alerts, key updates.
constexpr std::size_t kMaxSaidWhileReading = 16 * 1024;

bool is_numeric_address(const std::string& host) {
  std::array<unsigned char, 16> ignored;
  return ::inet_pton(AF_INET, host.c_str(), ignored.data()) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), ignored.data()) == 1;
}

/// OpenSSL tells an error of this call from what others left in the thread's queue by its being empty before.
void forget_earlier_errors() {
  if (ERR_peek_error() != 0) ERR_clear_error();
}

}  // namespace

/// The descriptor as OpenSSL sees it. Two differences from its own socket BIO: it never asks to write again,
/// and once it was emptied it says so without another system call.
struct TlsBio {
  static int read(BIO* bio, char* data, int size) {
    TlsStream& stream = *static_cast<TlsStream*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    if (size <= 0 || stream.wire_ == nullptr) return -1;
    if (!stream.received_.empty()) {
      const std::size_t part = std::min(static_cast<std::size_t>(size), stream.received_.size());
      stream.received_.copy(data, part);
      stream.received_.erase(0, part);
      if (stream.received_.empty()) std::string().swap(stream.received_);
      return static_cast<int>(part);
    }
    while (!stream.drained_) {
      const ssize_t got = ::recv(stream.wire_->descriptor, data, static_cast<std::size_t>(size), 0);
      if (got > 0) {
        stream.drained_ = got < size;
        return static_cast<int>(got);
      }
      if (got < 0 && errno == EINTR) continue;
      if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        stream.drained_ = true;
        break;
      }
      stream.cut_off_ = true;
      return got == 0 ? 0 : -1;
    }
    BIO_set_retry_read(bio);
    return -1;
  }

  static int write(BIO* bio, const char* data, int size) {
    TlsStream& stream = *static_cast<TlsStream*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    if (size <= 0 || stream.wire_ == nullptr) return -1;
    std::string_view bytes(data, static_cast<std::size_t>(size));
    const TlsWire& wire = *stream.wire_;
    if (*wire.sent == wire.kept->size()) {
      while (!bytes.empty()) {
        const ssize_t sent = ::send(wire.descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent >= 0) {
          bytes.remove_prefix(static_cast<std::size_t>(sent));
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
          break;
        } else if (errno != EINTR) {
          return -1;
        }
      }
      if (bytes.empty()) return size;
      wire.kept->clear();
      *wire.sent = 0;
    }
    if (stream.reading_) {
      stream.said_ += bytes.size();
      if (stream.said_ > kMaxSaidWhileReading) return -1;
    }
    wire.kept->append(bytes);
    return size;
  }

  static long control(BIO* bio, int command, long, void*) {
    if (command == BIO_CTRL_FLUSH) return 1;
    if (command == BIO_CTRL_EOF) return static_cast<TlsStream*>(BIO_get_data(bio))->cut_off_ ? 1 : 0;
    return 0;
  }

  static const BIO_METHOD* method() {
    static const BIO_METHOD* const kMethod = [] {
      BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "tidemark socket");
      if (made == nullptr) throw std::bad_alloc();
      BIO_meth_set_read(made, &read);
      BIO_meth_set_write(made, &write);
      BIO_meth_set_ctrl(made, &control);
      return made;
    }();
    return kMethod;
  }

  /// Lends the wire for the length of one call.
  class Loan {
   public:
    Loan(TlsStream& stream, const TlsWire& wire, bool reading) : stream_(stream) {
      stream.wire_ = &wire;
      stream.drained_ = false;
      stream.reading_ = reading;
      stream.said_ = 0;
      forget_earlier_errors();
    }
    ~Loan() { stream_.wire_ = nullptr; }
    Loan(const Loan&) = delete;
    Loan& operator=(const Loan&) = delete;

   private:
    TlsStream& stream_;
  };
};

TlsStream::TlsStream(std::shared_ptr<const TlsContext> context, std::string_view received,
                     const std::string* host)
    : context_(std::move(context)), ssl_(SSL_new(context_->native())), server_(host == nullptr) {
  BIO* bio = ssl_ == nullptr ? nullptr : BIO_new(TlsBio::method());
  if (bio == nullptr) {
    SSL_free(ssl_);
    throw std::bad_alloc();
  }
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_, bio, bio);
  received_ = received;
  if (server_) {
    SSL_set_accept_state(ssl_);
    return;
  }
  SSL_set_connect_state(ssl_);
  host_ = *host;
  const bool numeric = is_numeric_address(host_);
  // SSL_set_tlsext_host_name, which is a macro with casts. Addresses are no server names (RFC 6066, section
  // 3).
  bool ready =
      numeric || SSL_ctrl(ssl_, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, host_.data()) == 1;
  if (context_->checks_host()) {
    SSL_set_hostflags(ssl_, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    ready = ready && (numeric ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_), host_.c_str())
                              : SSL_set1_host(ssl_, host_.c_str())) == 1;
  }
  broken_ = !ready;
}

TlsStream::~TlsStream() {
  SSL_free(ssl_);
}

Socket::Handshake TlsStream::continue_handshake(const TlsWire& wire) {
  using Status = Socket::Handshake::Status;
  if (established_) return {Status::done, {}};
  if (broken_) return {Status::failed, "the host's name cannot be checked in a certificate"};
  const TlsBio::Loan loan(*this, wire, false);
  const int result = SSL_do_handshake(ssl_);
  if (result == 1) {
    established_ = true;
    return {Status::done, {}};
  }
  if (SSL_get_error(ssl_, result) == SSL_ERROR_WANT_READ) return {Status::again, {}};
  broken_ = ended_ = true;
  return {Status::failed, failure()};
}

/// Why the handshake failed.
std::string TlsStream::failure() const {
  std::string text = take_openssl_error();
  const long verdict = SSL_get_verify_result(ssl_);
  if (verdict == X509_V_ERR_HOSTNAME_MISMATCH || verdict == X509_V_ERR_IP_ADDRESS_MISMATCH)
    return "the server's certificate does not name the host \"" + host_ + "\"";
  if (verdict != X509_V_OK) return text + ": " + X509_verify_cert_error_string(verdict);
  if (cut_off_) return "the other side closed the connection during the TLS handshake";
  return text.empty() ? "the TLS handshake failed" : text;
}

Socket::Received TlsStream::receive(const TlsWire& wire, char* data, std::size_t size) {
  if (ended_) return {.closed = true};
  if (!established_) return {.would_block = true};
  const TlsBio::Loan loan(*this, wire, true);
  std::size_t total = 0;
  while (total < size) {
    std::size_t got = 0;
    if (SSL_read_ex(ssl_, data + total, size - total, &got) != 1) {
      note_end();
      break;
    }
    total += got;
    if (drained_ && SSL_has_pending(ssl_) == 0) break;
  }
  if (total == 0) return {.would_block = !ended_, .closed = ended_};
  // The end came with these bytes, and maybe not as the end of the descriptor's stream: then nothing would
  // tell the caller to come again. This does: the descriptor becomes readable, for ever.
  if (ended_) ::shutdown(wire.descriptor, SHUT_RD);
  return {.bytes = total};
}

/// A read has brought nothing: is more to come?
void TlsStream::note_end() {
  switch (SSL_get_error(ssl_, 0)) {
    case SSL_ERROR_WANT_READ:
      return;
    case SSL_ERROR_ZERO_RETURN:
      ended_ = true;
      return;
    default:
      // An end without close_notify is one, too: the protocol's own messages tell what was cut off.
      ended_ = broken_ = true;
      ERR_clear_error();
  }
}

int TlsStream::peek(const TlsWire& wire) {
  if (ended_) return -1;
  if (!established_) return -2;
  const TlsBio::Loan loan(*this, wire, true);
  unsigned char byte = 0;
  std::size_t got = 0;
  if (SSL_peek_ex(ssl_, &byte, 1, &got) == 1) return byte;
  note_end();
  return ended_ ? -1 : -2;
}

bool TlsStream::send(const TlsWire& wire, std::string_view bytes) {
  if (broken_ || !established_) return false;
  const TlsBio::Loan loan(*this, wire, false);
  return write(bytes);
}

bool TlsStream::write(std::string_view bytes) {
  if (bytes.empty()) return true;
  std::size_t written = 0;
  if (SSL_write_ex(ssl_, bytes.data(), bytes.size(), &written) == 1) return true;
  broken_ = true;
  ERR_clear_error();
  return false;
}

bool TlsStream::send(const TlsWire& wire, const iovec* parts, std::size_t count) {
  if (broken_ || !established_) return false;
  const TlsBio::Loan loan(*this, wire, false);
  std::array<char, kRecord> record;
  std::size_t filled = 0;
  for (; count > 0; ++parts, --count) {
    std::string_view bytes(static_cast<const char*>(parts->iov_base), parts->iov_len);
    while (!bytes.empty()) {
      if (filled == 0 && bytes.size() >= kRecord) {
        const std::size_t whole = bytes.size() - bytes.size() % kRecord;
        if (!write(bytes.substr(0, whole))) return false;
        bytes.remove_prefix(whole);
        continue;
      }
      const std::size_t part = std::min(bytes.size(), kRecord - filled);
      std::memcpy(record.data() + filled, bytes.data(), part);
      filled += part;
      bytes.remove_prefix(part);
      if (filled < kRecord) continue;
      if (!write({record.data(), filled})) return false;
      filled = 0;
    }
  }
  return write({record.data(), filled});
}

void TlsStream::say_goodbye(const TlsWire& wire) {
  if (broken_ || !established_ || *wire.sent < wire.kept->size()) return;
  const TlsBio::Loan loan(*this, wire, false);
  if (SSL_shutdown(ssl_) < 0) ERR_clear_error();
}

TlsPeer TlsStream::peer() const {
  TlsPeer peer;
  const unsigned char* protocol = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_, &protocol, &size);
  peer.alpn.assign(protocol, protocol + size);
  const X509* certificate = SSL_get0_peer_certificate(ssl_);
  if (server_) {
    peer.server_end_point = context_->end_point();
  } else if (certificate != nullptr) {
    peer.server_end_point = tidemark::pools::server_end_point(*certificate);
  }
  peer.verified = certificate != nullptr && (SSL_get_verify_mode(ssl_) & SSL_VERIFY_PEER) != 0 &&
                  SSL_get_verify_result(ssl_) == X509_V_OK;
  if (peer.verified) {
    peer.common_name = common_name(*certificate);
    peer.subject = subject_name(*certificate);
  }
  return peer;
}

}  // namespace tidemark::pools
