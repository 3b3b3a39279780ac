#pragma once

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pools/tls_context.hpp"

namespace tidemark::pools {

/// A folder with a self-signed certificate (which is its own CA) and its key, made anew for a test.
class TlsTestFiles {
 public:
  /// `host`: what the certificate names, as openssl's subjectAltName has it.
  explicit TlsTestFiles(const std::string& host = "IP:127.0.0.1") {
    std::string pattern = (std::filesystem::temp_directory_path() / "tidemark-tls-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp");
    folder_ = pattern;
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* certificate = X509_new();
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME* name = X509_get_subject_name(certificate);
    add(name, "O", "Shop");
    add(name, "CN", "app");
    X509_set_issuer_name(certificate, name);
    X509_EXTENSION* names = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, host.c_str());
    X509_add_ext(certificate, names, -1);
    X509_EXTENSION_free(names);
    X509_sign(certificate, key, EVP_sha384());
    std::FILE* file = std::fopen(cert().c_str(), "we");
    PEM_write_X509(file, certificate);
    std::fclose(file);
    file = std::fopen(this->key().c_str(), "we");
    PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(file);
    ::chmod(this->key().c_str(), 0600);
    X509_free(certificate);
    EVP_PKEY_free(key);
  }
  ~TlsTestFiles() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  TlsTestFiles(const TlsTestFiles&) = delete;
  TlsTestFiles& operator=(const TlsTestFiles&) = delete;

  [[nodiscard]] std::string cert() const { return folder_ / "cert.pem"; }
  [[nodiscard]] std::string key() const { return folder_ / "key.pem"; }
  [[nodiscard]] std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
    return folder_ / name;
  }

  [[nodiscard]] ListenTlsSettings listen(ListenTlsMode mode = ListenTlsMode::require) const {
    ListenTlsSettings settings;
    settings.mode = mode;
    settings.files.cert = cert();
    settings.files.key = key();
    return settings;
  }
  [[nodiscard]] ServerTlsSettings servers(protocol::SslMode mode = protocol::SslMode::verify_full) const {
    ServerTlsSettings settings;
    settings.mode = mode;
    if (mode >= protocol::SslMode::verify_ca) settings.files.ca = cert();
    return settings;
  }

 private:
  static void add(X509_NAME* name, const char* field, const char* value) {
    X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(value), -1,
                               -1, 0);
  }
  std::filesystem::path folder_;
};

}  // namespace tidemark::pools
