#pragma once

#include <optional>
#include <span>
#include <string>

#include "config/config.hpp"
#include "config/ip_address.hpp"
#include "proxy/error_mapping.hpp"

namespace tidemark::proxy {

/// The other end of a client's connection.
struct PeerAddress {
  bool local = false;         ///< a Unix-domain socket; then there is no address
  config::IpAddress address;  ///< IPv4 where it came as IPv4 mapped into IPv6
  bool same_host = false;     ///< loopback, or the address that the client connected to
  std::string text{};         ///< "10.0.0.7", "2001:db8::1", "[local]": as PostgreSQL's log has it
};

/// The verified certificate of a client.
struct CertificateNames {
  std::string common_name;         ///< the last CN of the subject; empty: none
  std::string distinguished_name;  ///< the subject as RFC 2253 writes it
};

/// How a client reached us, and who it says it is: all that host rules look at.
struct ClientFacts {
  PeerAddress peer;
  bool encrypted = false;  ///< TLS
  std::string database;
  std::string user;
  std::optional<CertificateNames> certificate;  ///< only if TLS has verified it
};

/// The first rule that the client falls under, as lines of pg_hba.conf are looked through (manual, "The
/// pg_hba.conf File"); null if there is none.
[[nodiscard]] const config::AuthRule* first_match(std::span<const config::AuthRule> rules,
                                                  const ClientFacts& facts);

/// What a client is told whom no rule lets in.
[[nodiscard]] ClientError no_rule_matches(const ClientFacts& facts);
/// What a client is told whom a rule rejects.
[[nodiscard]] ClientError rule_rejects(const ClientFacts& facts);

}  // namespace tidemark::proxy
