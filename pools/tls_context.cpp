#include "pools/tls_context.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pools/tls_certificate.hpp"

namespace tidemark::pools {

namespace {

/// Registered with IANA for the protocol; with the length in front, as RFC 7301 has it.
constexpr std::array<unsigned char, 11> kAlpn{10, 'p', 'o', 's', 't', 'g', 'r', 'e', 's', 'q', 'l'};

int select_alpn(SSL*, const unsigned char** out, unsigned char* size, const unsigned char* offered,
                unsigned offered_size, void*) {
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, size, kAlpn.data(), kAlpn.size(), offered, offered_size) !=
      OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

/// OpenSSL would ask at the terminal.
int no_passphrase(char*, int, int, void*) {
  return -1;
}

[[noreturn]] void fail(std::string_view key, const std::string& path, std::string_view why) {
  throw TlsError({std::string(key), "\"" + path + "\" " + std::string(why)});
}

std::string openssl_says(std::string_view otherwise) {
  const std::string text = take_openssl_error();
  return text.empty() ? std::string(otherwise) : text;
}

}  // namespace

/// Builds one, naming the configuration's keys in what it reports.
class TlsContextBuilder {
 public:
  TlsContextBuilder(std::string prefix, const SSL_METHOD* method, TlsMinVersion min_version)
      : prefix_(std::move(prefix)), context_(new TlsContext()) {
    ERR_clear_error();
    context_->context_ = SSL_CTX_new(method);
    if (native() == nullptr) throw unusable();
    SSL_CTX_set_options(native(), SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
                                      SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_num_tickets(native(), 0);
    SSL_CTX_set_session_cache_mode(native(), SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(native(), SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(native(), 1);
    SSL_CTX_set_default_passwd_cb(native(), &no_passphrase);
    SSL_CTX_set_min_proto_version(native(),
                                  min_version == TlsMinVersion::tls_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
  }

  [[nodiscard]] SSL_CTX* native() const { return context_->context_; }

  void certificate(const std::string& cert, const std::string& key) {
    if (cert.empty()) return;
    const std::string cert_key = prefix_ + ".cert";
    const std::string key_key = prefix_ + ".key";
    must_be_readable(cert_key, cert);
    if (SSL_CTX_use_certificate_chain_file(native(), cert.c_str()) != 1)
      fail(cert_key, cert, "holds no usable certificate: " + openssl_says("no certificate in PEM form"));
    const X509* certificate = SSL_CTX_get0_certificate(native());
    warn_of_dates(cert_key, cert, *certificate);
    context_->end_point_ = server_end_point(*certificate);
    must_be_readable(key_key, key);
    must_be_private(key_key, key);
    if (SSL_CTX_use_PrivateKey_file(native(), key.c_str(), SSL_FILETYPE_PEM) != 1) {
      if (ERR_GET_REASON(ERR_peek_error()) == X509_R_KEY_VALUES_MISMATCH ||
          ERR_GET_REASON(ERR_peek_error()) == X509_R_KEY_TYPE_MISMATCH) {
        ERR_clear_error();
        fail(key_key, key, "is not the key of the certificate \"" + cert + "\"");
      }
      fail(key_key, key,
           "holds no usable key (in PEM form, without a passphrase): " + openssl_says("no key in PEM form"));
    }
    if (SSL_CTX_check_private_key(native()) != 1) {
      ERR_clear_error();
      fail(key_key, key, "is not the key of the certificate \"" + cert + "\"");
    }
  }

  void trust(std::string_view name, const std::string& path) {
    const std::string key = prefix_ + "." + std::string(name);
    must_be_readable(key, path);
    if (SSL_CTX_load_verify_file(native(), path.c_str()) != 1)
      fail(key, path, "holds no usable certificate: " + openssl_says("no certificate in PEM form"));
  }

  void revoke(const std::string& path) {
    if (path.empty()) return;
    const std::string key = prefix_ + ".crl";
    must_be_readable(key, path);
    X509_STORE* store = SSL_CTX_get_cert_store(native());
    X509_LOOKUP* lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
    if (lookup == nullptr || X509_load_crl_file(lookup, path.c_str(), X509_FILETYPE_PEM) < 1)
      fail(key, path, "holds no usable revocation list: " + openssl_says("none in PEM form"));
    // As PostgreSQL: every CA of a chain needs its list, or nothing that it has signed is accepted.
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
  }

  void ciphers(const std::string& list) {
    if (list.empty()) return;
    if (SSL_CTX_set_cipher_list(native(), list.c_str()) == 1) return;
    throw TlsError({prefix_ + ".ciphers",
                    "OpenSSL knows no cipher of \"" + list + "\": " + openssl_says("no cipher match")});
  }

  [[nodiscard]] TlsError unusable() const {
    return TlsError({prefix_ + ".mode", "OpenSSL cannot be used: " + openssl_says("out of memory")});
  }

  void check_host() { context_->checks_host_ = true; }
  [[nodiscard]] std::shared_ptr<const TlsContext> take() { return std::move(context_); }

 private:
  static void must_be_readable(const std::string& key, const std::string& path) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"), &std::fclose);
    struct stat status{};
    if (!file || ::fstat(::fileno(file.get()), &status) != 0)
      fail(key, path, std::string("cannot be read: ") + std::strerror(errno));
    if (S_ISDIR(status.st_mode)) fail(key, path, "cannot be read: it is a folder");
  }

  /// PostgreSQL's rule (manual, "Secure TCP/IP Connections with SSL"), which libpq has, too.
  static void must_be_private(const std::string& key, const std::string& path) {
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0)
      fail(key, path, std::string("cannot be read: ") + std::strerror(errno));
    const bool roots = status.st_uid == 0 && ::geteuid() != 0;
    const mode_t forbidden = roots ? S_IWGRP | S_IXGRP | S_IRWXO : S_IRWXG | S_IRWXO;
    if ((status.st_mode & forbidden) != 0) {
      fail(key, path,
           "may be read by others: its permissions should be u=rw (0600) or less, or u=rw,g=r (0640) or less "
           "if root owns it");
    }
  }

  void warn_of_dates(const std::string& key, const std::string& path, const X509& certificate) {
    if (X509_cmp_current_time(X509_get0_notAfter(&certificate)) < 0)
      context_->warnings_.push_back({key, "\"" + path + "\" has expired"});
    if (X509_cmp_current_time(X509_get0_notBefore(&certificate)) > 0)
      context_->warnings_.push_back({key, "\"" + path + "\" is not valid yet"});
  }

  std::string prefix_;
  std::shared_ptr<TlsContext> context_;
};

TlsContext::TlsContext() = default;

TlsContext::~TlsContext() {
  SSL_CTX_free(context_);
}

std::shared_ptr<const TlsContext> TlsContext::for_clients(const ListenTlsSettings& settings) {
  TlsContextBuilder builder("listen.tls", TLS_server_method(), settings.min_version);
  builder.ciphers(settings.ciphers);
  builder.certificate(settings.files.cert, settings.files.key);
  SSL_CTX_set_alpn_select_cb(builder.native(), &select_alpn, nullptr);
  if (!settings.files.ca.empty()) {
    builder.trust("client_ca", settings.files.ca);
    builder.revoke(settings.files.crl);
    // Clients that have several certificates choose by these names.
    SSL_CTX_set_client_CA_list(builder.native(), SSL_load_client_CA_file(settings.files.ca.c_str()));
    const bool required = settings.mode == ListenTlsMode::verify_full;
    SSL_CTX_set_verify(
        builder.native(),
        SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), nullptr);
  }
  return builder.take();
}

std::shared_ptr<const TlsContext> TlsContext::for_servers(const ServerTlsSettings& settings) {
  TlsContextBuilder builder("cluster.server_tls", TLS_client_method(), settings.min_version);
  builder.certificate(settings.files.cert, settings.files.key);
  // Zero means success here, unlike everywhere else.
  if (SSL_CTX_set_alpn_protos(builder.native(), kAlpn.data(), kAlpn.size()) != 0) throw builder.unusable();
  if (settings.mode == protocol::SslMode::verify_ca || settings.mode == protocol::SslMode::verify_full) {
    builder.trust("ca", settings.files.ca);
    builder.revoke(settings.files.crl);
    SSL_CTX_set_verify(builder.native(), SSL_VERIFY_PEER, nullptr);
  }
  if (settings.mode == protocol::SslMode::verify_full) builder.check_host();
  return builder.take();
}

std::shared_ptr<const TlsSetup> make_tls_setup(const ListenTlsSettings& listen,
                                               const ServerTlsSettings& servers,
                                               std::vector<TlsProblem>& warnings) {
  auto setup = std::make_shared<TlsSetup>();
  setup->listen = listen;
  setup->servers = servers;
  if (listen.mode != ListenTlsMode::disable) setup->for_clients = TlsContext::for_clients(listen);
  if (servers.mode != protocol::SslMode::disable) setup->for_servers = TlsContext::for_servers(servers);
  for (const auto* context : {setup->for_clients.get(), setup->for_servers.get()}) {
    if (context != nullptr)
      warnings.insert(warnings.end(), context->warnings().begin(), context->warnings().end());
  }
  return setup;
}

}  // namespace tidemark::pools
