#pragma once

#include <cstdint>
#include <string>

#include "protocol/ssl_mode.hpp"

namespace tidemark::pools {

/// The oldest protocol version that is spoken; older ones than 1.2 never are.
enum class TlsMinVersion : std::uint8_t { tls_1_2, tls_1_3 };

/// Files in PEM form; an empty path means there is none. Paths are absolute or relative to the process's
/// working folder: the configuration has resolved them.
struct TlsFiles {
  std::string cert;  ///< our certificate, with the intermediate ones behind it
  std::string key;   ///< its key, without a passphrase
  std::string ca;    ///< who may sign the peer's certificate
  std::string crl;   ///< certificates that the CAs have revoked
  friend bool operator==(const TlsFiles&, const TlsFiles&) = default;
};

/// Whether clients encrypt.
enum class ListenTlsMode : std::uint8_t {
  disable,      ///< SSLRequest is answered with N
  allow,        ///< as the client likes
  require,      ///< clients without TLS are refused
  verify_full,  ///< and so are those without a certificate that files.ca has signed
};

/// [listen.tls] of the configuration.
struct ListenTlsSettings {
  ListenTlsMode mode = ListenTlsMode::disable;
  TlsFiles files;  ///< ca: client_ca. With one, a certificate is asked for in every mode but disable.
  TlsMinVersion min_version = TlsMinVersion::tls_1_2;
  std::string ciphers;  ///< OpenSSL's cipher list for TLS 1.2; empty: OpenSSL's own choice
  friend bool operator==(const ListenTlsSettings&, const ListenTlsSettings&) = default;
};

/// [cluster.server_tls] of the configuration. As with libpq, connections through Unix sockets are never
/// encrypted.
struct ServerTlsSettings {
  protocol::SslMode mode = protocol::SslMode::disable;
  TlsFiles files;  ///< cert and key: what we show to a server that asks for a client certificate
  TlsMinVersion min_version = TlsMinVersion::tls_1_2;
  friend bool operator==(const ServerTlsSettings&, const ServerTlsSettings&) = default;
};

}  // namespace tidemark::pools
