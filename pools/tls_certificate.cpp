#include "pools/tls_certificate.hpp"

#include <array>
#include <memory>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

namespace tidemark::pools {

std::string server_end_point(const X509& certificate) {
  int hash = NID_undef;
  // X509_get_signature_info may cache, so it takes no const; the extensions it would parse are parsed by
  // then.
  if (X509_get_signature_info(const_cast<X509*>(&certificate), &hash, nullptr, nullptr, nullptr) != 1)
    return {};
  const EVP_MD* digest = hash == NID_md5 || hash == NID_sha1 ? EVP_sha256() : EVP_get_digestbynid(hash);
  if (digest == nullptr) return {};
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes;
  unsigned size = 0;
  if (X509_digest(&certificate, digest, bytes.data(), &size) != 1) return {};
  return {bytes.begin(), bytes.begin() + size};
}

std::string common_name(const X509& certificate) {
  const X509_NAME* name = X509_get_subject_name(&certificate);
  const int place = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
  if (place < 0) return {};
  unsigned char* text = nullptr;
  const int size = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, place)));
  if (size < 0) return {};
  std::string found(text, text + size);
  OPENSSL_free(text);
  return found.find('\0') == std::string::npos ? found : std::string();
}

std::string subject_name(const X509& certificate) {
  const std::unique_ptr<BIO, int (*)(BIO*)> memory(BIO_new(BIO_s_mem()), &BIO_free);
  if (!memory ||
      X509_NAME_print_ex(memory.get(), X509_get_subject_name(&certificate), 0, XN_FLAG_RFC2253) < 0)
    return {};
  char* text = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &text);
  if (size <= 0) return {};
  std::string found(text, static_cast<std::size_t>(size));
  return found.find('\0') == std::string::npos ? found : std::string();
}

std::string take_openssl_error() {
  const unsigned long code = ERR_peek_error();
  if (code == 0) return {};
  const char* reason = ERR_reason_error_string(code);
  std::string text = reason != nullptr ? reason : "OpenSSL error " + std::to_string(code);
  ERR_clear_error();
  return text;
}

}  // namespace tidemark::pools
