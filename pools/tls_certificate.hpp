#pragma once

#include <string>

// OpenSSL's own struct tag; its headers are included in .cpp files only.
struct x509_st;

namespace tidemark::pools {

/// RFC 5929, section 4.1: the hash of the whole certificate, with the hash function of its signature, but
/// SHA-256 where that is MD5 or SHA-1. Empty where the signature has no hash function of its own.
[[nodiscard]] std::string server_end_point(const x509_st& certificate);

/// The first common name in UTF-8; empty if there is none, or one that holds a zero byte.
[[nodiscard]] std::string common_name(const x509_st& certificate);

/// The subject as RFC 2253 writes it; empty if it holds a zero byte.
[[nodiscard]] std::string subject_name(const x509_st& certificate);

/// What OpenSSL says of the last failure on this thread; forgets it. Empty if it says nothing.
[[nodiscard]] std::string take_openssl_error();

}  // namespace tidemark::pools
