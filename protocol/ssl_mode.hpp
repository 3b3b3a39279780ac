#pragma once

namespace tidemark::protocol {

/// Encryption towards a server, named as libpq's sslmode (manual, "SSL Support"). `allow`, plain text first
/// and TLS on refusal, protects against nothing and is not offered.
enum class SslMode : unsigned char {
  disable,
  prefer,       ///< TLS if the server has it
  require,      ///< TLS, with whatever certificate the server shows
  verify_ca,    ///< TLS, and the certificate's chain is verified
  verify_full,  ///< … and the name in it is the host's
};

}  // namespace tidemark::protocol
