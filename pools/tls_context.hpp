#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "pools/tls_settings.hpp"

// OpenSSL's own struct tag; its headers are included in .cpp files only.
struct ssl_ctx_st;

namespace tidemark::pools {

/// Something about a certificate, key, CA or CRL. Holds no secret.
struct TlsProblem {
  std::string key;   ///< of the configuration, such as "listen.tls.cert"
  std::string text;  ///< names the file
};

/// It cannot be used. The whole text names the key, too.
class TlsError : public std::runtime_error {
 public:
  explicit TlsError(TlsProblem problem)
      : std::runtime_error(problem.key + ": " + problem.text), problem_(std::move(problem)) {}
  [[nodiscard]] const TlsProblem& problem() const { return problem_; }

 private:
  TlsProblem problem_;
};

/// What all TLS connections of one kind share: certificate, key, whom to trust. Immutable: a reload makes
/// another one, and connections keep the one that they began with. Any thread.
///
/// Compression and renegotiation are off; so are sessions and tickets (README.md, decisions).
class TlsContext {
 public:
  /// For connections from clients. Throws TlsError. Not to be called with mode disable.
  [[nodiscard]] static std::shared_ptr<const TlsContext> for_clients(const ListenTlsSettings& settings);
  /// For connections to servers. Throws TlsError. Not to be called with mode disable.
  [[nodiscard]] static std::shared_ptr<const TlsContext> for_servers(const ServerTlsSettings& settings);

  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  /// What an operator should know although it works, such as a certificate that has expired.
  [[nodiscard]] const std::vector<TlsProblem>& warnings() const { return warnings_; }
  /// Our certificate's hash as in TlsPeer::server_end_point; empty when there is none.
  [[nodiscard]] const std::string& end_point() const { return end_point_; }
  /// Servers must name the host in their certificate.
  [[nodiscard]] bool checks_host() const { return checks_host_; }
  [[nodiscard]] ssl_ctx_st* native() const { return context_; }

 private:
  TlsContext();
  friend class TlsContextBuilder;

  ssl_ctx_st* context_ = nullptr;
  std::string end_point_;
  std::vector<TlsProblem> warnings_;
  bool checks_host_ = false;
};

/// What new connections begin with; published as a whole, again at each reload. Connections that are there
/// keep what they have.
struct TlsSetup {
  ListenTlsSettings listen;
  std::shared_ptr<const TlsContext> for_clients;  ///< null if and only if listen.mode is disable
  ServerTlsSettings servers;
  std::shared_ptr<const TlsContext> for_servers;  ///< null if and only if servers.mode is disable
};
/// Throws TlsError. What is no error, but should be known, goes behind `warnings`.
[[nodiscard]] std::shared_ptr<const TlsSetup> make_tls_setup(const ListenTlsSettings& listen,
                                                             const ServerTlsSettings& servers,
                                                             std::vector<TlsProblem>& warnings);

/// What a TLS handshake has shown.
struct TlsPeer {
  /// The hash of the server's certificate, theirs or ours: the data of the channel binding type
  /// tls-server-end-point (RFC 5929, section 4.1). Empty where the certificate's signature has no hash of its
  /// own (Ed25519): there is no channel binding then.
  std::string server_end_point;
  std::string alpn;  ///< the protocol that was agreed on (RFC 7301), or empty
  /// The peer has shown a certificate, and it was verified.
  bool verified = false;
  /// Of the peer's certificate: its first common name in UTF-8, empty if it has none, or one that holds a
  /// zero byte.
  std::string common_name;
  /// Its subject as PostgreSQL's clientname=DN has it (RFC 2253); empty as above.
  std::string subject;
};

}  // namespace tidemark::pools
